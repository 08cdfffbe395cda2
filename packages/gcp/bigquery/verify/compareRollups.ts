import { averageMinutesSql, averageSecondsSql } from "../averages";
import type { ResultRow } from "../query";
import type { Horizon } from "../retention/horizon";
import { eventsTable } from "../tables";
import { dailyRollupsAllView } from "../views";
import { dateIn } from "../zone/zoneRules";
import type { MeteredQueries } from "./meteredQueries";
import { onDays, table, utcDaysOf, type Scope } from "./scope";

/** The columns that are compared. */
const NUMBERS = [
  "session_count",
  "session_duration_ms",
  "average_session_duration_sec",
  "average_session_duration_min",
  "active_user_count",
  "new_user_count",
  "total_users",
] as const;

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
}

/** Numbers that depend on rows of earlier days, and what remaining rows tell about them: see {@link Horizon}. */
const BOUNDS: Partial<Record<RollupNumber, "at most" | "at least">> = {
  new_user_count: "at most",
  total_users: "at least",
};

/**
 * SQL that computes the daily numbers from the raw events alone, following their definitions. The time between two
 * neighbouring events of a session_id and day either adds to the duration of a session or starts a new session. New and
 * total users depend on all earlier days, so that the users of the whole table are read, whatever the compared days.
 */
function expectedRollupsSql(scope: Scope): string {
  const { timeZone, days } = scope;
  const date = dateIn(timeZone, "event_time");
  return `
WITH raw AS (
  SELECT session_id, user_id, ${date} AS date, UNIX_MILLIS(event_time) AS ms
  FROM ${table(scope, eventsTable)}
  WHERE ${onDays(utcDaysOf(timeZone, days), "event_date")} AND ${onDays(days, date)}
),
steps AS (
  SELECT date, ms - LAG(ms) OVER (PARTITION BY session_id, date ORDER BY ms) AS step
  FROM raw
),
sessions AS (
  SELECT
    date,
    COUNTIF(step IS NULL OR step >= @gap_ms) AS session_count,
    SUM(IF(step IS NULL OR step >= @gap_ms, 0, step)) AS session_duration_ms
  FROM steps
  GROUP BY date
),
active AS (
  SELECT date, COUNT(DISTINCT user_id) AS active_user_count
  FROM raw
  GROUP BY date
),
first_days AS (
  SELECT user_id, MIN(${date}) AS date
  FROM ${table(scope, eventsTable)}
  WHERE user_id IS NOT NULL
  GROUP BY user_id
),
fresh AS (
  SELECT date, COUNT(*) AS new_user_count
  FROM first_days
  GROUP BY date
),
known AS (
  SELECT date, SUM(users) OVER (ORDER BY date) AS total_users
  FROM (
    SELECT date, SUM(users) AS users
    FROM (SELECT date, new_user_count AS users FROM fresh UNION ALL SELECT date, 0 AS users FROM sessions)
    GROUP BY date
  )
)
SELECT
  sessions.date,
  session_count,
  session_duration_ms,
  ${averageSecondsSql("session_duration_ms", "session_count")} AS average_session_duration_sec,
  ${averageMinutesSql("session_duration_ms", "session_count")} AS average_session_duration_min,
  active_user_count,
  IFNULL(new_user_count, 0) AS new_user_count,
  total_users
FROM sessions
JOIN active ON active.date = sessions.date
JOIN known ON known.date = sessions.date
LEFT JOIN fresh ON fresh.date = sessions.date
ORDER BY sessions.date`;
}

type Numbers = Readonly<Record<RollupNumber, number>>;

function byDate(rows: readonly ResultRow[]): Map<string, Numbers> {
  return new Map(
    rows.map((row) => [row.text("date"), Object.fromEntries(NUMBERS.map((n) => [n, row.number(n)])) as Numbers]),
  );
}

/** Compares one number of a day. `horizon`: undefined when no rows are deleted. */
function compareNumber(
  number: RollupNumber,
  { date, want, have }: { date: string; want: number; have: number },
  horizon: Horizon | undefined,
): Difference[] {
  const bound = horizon && BOUNDS[number];
  const isKept = bound === "at most" ? have <= want : bound === "at least" ? have >= want : have === want;
  return isKept ? [] : [{ date, number, expected: want, actual: have, ...(bound && { bound }) }];
}

/**
 * Compares the rollups with the expected numbers, in both directions.
 * @param horizon what is known when rows of `events` are deleted. Undefined: none are
 */
export function compareRollups(
  expected: ReadonlyMap<string, Numbers>,
  actual: ReadonlyMap<string, Numbers>,
  horizon?: Horizon,
): RollupComparison {
  const differences: Difference[] = [];
  let equalDays = 0;
  const dates = [...new Set([...expected.keys(), ...actual.keys()])].sort();
  const isCheckable = (date: string): boolean => horizon === undefined || date >= horizon.firstCompleteDay;
  for (const date of dates.filter(isCheckable)) {
    const want = expected.get(date);
    const have = actual.get(date);
    if (!want || !have) {
      differences.push({ date, number: "day", expected: want?.session_count, actual: have?.session_count });
      continue;
    }
    const wrong = NUMBERS.flatMap((number) =>
      compareNumber(number, { date, want: want[number], have: have[number] }, horizon),
    );
    if (wrong.length === 0) equalDays++;
    differences.push(...wrong);
  }
  const skipped = dates.filter((date) => !isCheckable(date));
  const [first] = skipped;
  const notCheckable = first === undefined ? undefined : { days: skipped.length, first, last: skipped.at(-1) ?? first };
  return { differences, equalDays, notCheckable };
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
  return compareRollups(byDate(expected), byDate(actual), horizon);
}
