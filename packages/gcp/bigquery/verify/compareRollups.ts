import { dayFromIso } from "@eventlogger/events/day";
import type { ResultRow } from "../query";
import type { Horizon } from "../retention/horizon";
import { dailyRollupsAllView } from "../views";
import { expectedRollupsSql, MONTHLY_DAYS, WEEKLY_DAYS } from "./expectedRollups";
import type { MeteredQueries } from "./meteredQueries";
import { hasAnonymousIds } from "./personDays";
import { onDays, table, type Scope } from "./scope";

/** The numbers of every generation. */
const USER_NUMBERS = [
  "session_count",
  "session_duration_ms",
  "average_session_duration_sec",
  "average_session_duration_min",
  "active_user_count",
  "new_user_count",
  "total_users",
] as const;

/** The columns that are compared. Generations of earlier releases have only {@link USER_NUMBERS}. */
const NUMBERS = [...USER_NUMBERS, "anonymous_user_count", "wau", "mau", "bot_session_count", "bot_user_count"] as const;

export type RollupNumber = (typeof NUMBERS)[number];

/** One number of one day that differs between the rollups and the raw events. */
export interface Difference {
  /** YYYY-MM-DD. */
  readonly date: string;
  /** `day`: the whole day is missing in the rollups, or has no events; the numbers are then its session counts. */
  readonly number: RollupNumber | "day";
  /** Computed from the raw events; undefined for a day without events. */
  readonly expected: number | undefined;
  /** Value in the rollups; undefined for a day that they lack. */
  readonly actual: number | undefined;
  /** Set when rows are deleted: the raw events then give only a bound, which the value does not keep. */
  readonly bound?: "at most" | "at least";
}

/** Days whose rows may be deleted from `events`. */
export interface UncheckableDays {
  readonly days: number;
  /** YYYY-MM-DD. */
  readonly first: string;
  /** YYYY-MM-DD. */
  readonly last: string;
}

export interface RollupComparison {
  /** Sorted by date. */
  readonly differences: Difference[];
  /** Number of days without a difference. */
  readonly equalDays: number;
  /** Days that were not compared. Undefined: none. */
  readonly notCheckable: UncheckableDays | undefined;
  /** Whether deleted rows may have linked anonymous ids with users, so that little is known about the numbers of persons. */
  readonly mayLackLinks: boolean;
}

type Numbers = Readonly<Record<RollupNumber, number>>;

/** Numbers that bound others when rows are deleted: see {@link expectedRollupsSql}. */
const BOUNDING_NUMBERS = ["direct_user_count", "anonymous_id_count"] as const;

type Expected = Numbers & Readonly<Record<(typeof BOUNDING_NUMBERS)[number], number>>;

/** What the remaining rows tell about a number. */
type Knowledge = "exact" | "at most" | "at least" | "nothing";

/** How many earlier days a number depends on, which may have lost rows. */
const EARLIER_DAYS: Partial<Record<RollupNumber, number>> = { wau: WEEKLY_DAYS - 1, mau: MONTHLY_DAYS - 1 };

/**
 * What the remaining rows tell about a number of a complete day: see {@link Horizon}. Where events have anonymous ids, the deleted rows may
 * have had links between them and users, which move active days from one person to others.
 */
function knowledgeOf(
  number: RollupNumber,
  date: string,
  { horizon, hasAnonymousIds: dataset }: Remaining,
  { anonymous_id_count }: Pick<Expected, "anonymous_id_count">,
): Knowledge {
  const day = anonymous_id_count > 0;
  switch (number) {
    case "session_count":
    case "session_duration_ms":
    case "average_session_duration_sec":
    case "average_session_duration_min":
    case "bot_session_count":
      return "exact";
    case "active_user_count":
      return day ? "at least" : "exact";
    case "anonymous_user_count":
      return day ? "at most" : "exact";
    case "bot_user_count":
      return day ? "nothing" : "exact";
    case "new_user_count":
      return dataset ? "nothing" : "at most";
    case "total_users":
      return dataset ? "nothing" : "at least";
    case "wau":
    case "mau": {
      const first = (dayFromIso(date) ?? 0) - (EARLIER_DAYS[number] ?? 0);
      if (dataset) return "nothing";
      return first >= (dayFromIso(horizon.firstCompleteDay) ?? 0) ? "exact" : "at least";
    }
  }
}

function byDate<Name extends string>(
  rows: readonly ResultRow[],
  names: readonly Name[],
): Map<string, Readonly<Record<Name, number>>> {
  return new Map(
    rows.map((row) => [
      row.text("date"),
      Object.fromEntries(names.map((n) => [n, row.number(n)])) as Record<Name, number>,
    ]),
  );
}

/** Compares one number of a day with what is known about it. */
function compareNumber(
  number: RollupNumber,
  { date, want, have }: { date: string; want: number; have: number },
  knowledge: Knowledge,
): Difference[] {
  const difference = { date, number, expected: want, actual: have };
  switch (knowledge) {
    case "nothing":
      return [];
    case "exact":
      return have === want ? [] : [difference];
    case "at most":
      return have <= want ? [] : [{ ...difference, bound: knowledge }];
    case "at least":
      return have >= want ? [] : [{ ...difference, bound: knowledge }];
  }
}

/** What is known when rows of `events` are deleted. */
export interface Remaining {
  readonly horizon: Horizon;
  /** Whether remaining events have anonymous ids. */
  readonly hasAnonymousIds: boolean;
}

/** The sessions of a day, of people or of bots, by which the day as a whole is reported. A day with events has at least one. */
export function sessionsOf(numbers: Numbers | undefined): number | undefined {
  return numbers && Math.max(numbers.session_count, numbers.bot_session_count);
}

/**
 * Compares the rollups with the expected numbers, in both directions.
 * @param remaining undefined: no rows of `events` are deleted
 */
export function compareRollups(
  expected: ReadonlyMap<string, Expected>,
  actual: ReadonlyMap<string, Numbers>,
  { remaining, numbers = NUMBERS }: { remaining?: Remaining | undefined; numbers?: readonly RollupNumber[] } = {},
): RollupComparison {
  const differences: Difference[] = [];
  let equalDays = 0;
  const dates = [...new Set([...expected.keys(), ...actual.keys()])].sort();
  const isCheckable = (date: string): boolean => remaining === undefined || date >= remaining.horizon.firstCompleteDay;
  for (const date of dates.filter(isCheckable)) {
    const want = expected.get(date);
    const have = actual.get(date);
    if (!want || !have) {
      differences.push({ date, number: "day", expected: sessionsOf(want), actual: sessionsOf(have) });
      continue;
    }
    const wrong = numbers.flatMap((number) => {
      const knowledge = remaining ? knowledgeOf(number, date, remaining, want) : "exact";
      const isBound = number === "active_user_count" && knowledge === "at least";
      return compareNumber(
        number,
        { date, want: isBound ? want.direct_user_count : want[number], have: have[number] },
        knowledge,
      );
    });
    if (wrong.length === 0) equalDays++;
    differences.push(...wrong);
  }
  const skipped = dates.filter((date) => !isCheckable(date));
  const [first] = skipped;
  const notCheckable = first === undefined ? undefined : { days: skipped.length, first, last: skipped.at(-1) ?? first };
  return { differences, equalDays, notCheckable, mayLackLinks: remaining?.hasAnonymousIds ?? false };
}

/**
 * Recomputes rollups from the raw events by SQL and compares them with those of the generation.
 * @param gapMs session gap of the pipeline; ms
 * @param horizon what is known when rows of `events` are deleted. Undefined: none are
 * @throws Error of the BigQuery client when a query fails
 */
export async function compareWithRawEvents(
  queries: MeteredQueries,
  scope: Scope,
  gapMs: number,
  horizon?: Horizon,
): Promise<RollupComparison> {
  const actual = await queries.run(
    `SELECT date, ${NUMBERS.join(", ")} FROM ${table(scope, dailyRollupsAllView)}
     WHERE generation = ${scope.generation} AND ${onDays(scope.days, "date")}`,
  );
  const expected = await queries.run(expectedRollupsSql(scope), { gap_ms: gapMs });
  return compareRollups(byDate(expected, [...NUMBERS, ...BOUNDING_NUMBERS]), byDate(actual, NUMBERS), {
    remaining: horizon && { horizon, hasAnonymousIds: await hasAnonymousIds(queries, scope) },
    numbers: scope.countsPersons ? NUMBERS : USER_NUMBERS,
  });
}
