import { MAX_WEEK_OFFSET } from "@eventlogger/events/totals/retention";
import type { ResultRow } from "../query";
import type { Horizon } from "../retention/horizon";
import { weeklyRetentionAllView } from "../views";
import type { Remaining } from "./compareRollups";
import type { MeteredQueries } from "./meteredQueries";
import { hasAnonymousIds, personDaysSql } from "./personDays";
import { table, type Scope } from "./scope";

/** One number of one cohort that differs between the retention and the raw events. */
export interface RetentionDifference {
  /** YYYY-MM-DD; the Monday of the cohort. */
  readonly cohortWeek: string;
  readonly weekOffset: number;
  /** Computed from the raw events. */
  readonly expected: number;
  readonly actual: number;
  /** Set when rows are deleted: the raw events then give only a bound, which the value does not keep. */
  readonly bound?: "at most";
}

export interface RetentionComparison {
  /** Sorted by cohort and offset. */
  readonly differences: readonly RetentionDifference[];
  /** Number of cohorts without a difference. */
  readonly equalCohorts: number;
  /** Number of cohorts that were not compared, because rows are deleted. */
  readonly notCheckable: number;
}

/**
 * Persons of each cohort and offset from the raw events alone: active days and first days of {@link personDaysSql}, by ISO weeks. The
 * emulator needs the cast: there, the week of a date is a time.
 */
export function expectedRetentionSql(scope: Scope): string {
  return `
WITH ${personDaysSql(scope)},
cohorts AS (
  SELECT kind, id, DATE_TRUNC(MIN(date), WEEK(MONDAY)) AS cohort_week
  FROM counted
  GROUP BY kind, id
),
active_weeks AS (
  SELECT DISTINCT counted.kind AS kind, counted.id AS id, cohort_week, DATE_TRUNC(date, WEEK(MONDAY)) AS week
  FROM counted
  JOIN cohorts ON cohorts.kind = counted.kind AND cohorts.id = counted.id
)
SELECT CAST(cohort_week AS DATE) AS cohort_week, DIV(DATE_DIFF(week, cohort_week, DAY), 7) AS week_offset, COUNT(*) AS person_count
FROM active_weeks
WHERE DATE_DIFF(week, cohort_week, DAY) <= ${7 * MAX_WEEK_OFFSET}
GROUP BY 1, 2`;
}

/** The persons of a cohort by offset. */
type Cohort = ReadonlyMap<number, number>;

function byCohort(rows: readonly ResultRow[]): Map<string, Map<number, number>> {
  const cohorts = new Map<string, Map<number, number>>();
  for (const row of rows) {
    const week = row.text("cohort_week");
    const cohort = cohorts.get(week) ?? new Map<number, number>();
    cohorts.set(week, cohort.set(row.number("week_offset"), row.number("person_count")));
  }
  return cohorts;
}

/**
 * Compares the retention with the expected one, in both directions.
 * @param remaining set when rows of `events` are deleted. A person who was first active before then belongs to an earlier cohort than the
 *   remaining rows show, so that they give an upper bound for later cohorts. Where events have anonymous ids, the deleted rows may have had
 *   links, and nothing is known
 */
export function compareRetention(
  expected: ReadonlyMap<string, Cohort>,
  actual: ReadonlyMap<string, Cohort>,
  remaining?: Remaining,
): RetentionComparison {
  const weeks = [...new Set([...expected.keys(), ...actual.keys()])].sort();
  const checkable = weeks.filter(
    (week) => remaining === undefined || (!remaining.hasAnonymousIds && week >= remaining.horizon.firstCompleteDay),
  );
  const wrong = checkable.map((cohortWeek) => {
    const [want, have]: [Cohort, Cohort] = [
      expected.get(cohortWeek) ?? new Map<number, number>(),
      actual.get(cohortWeek) ?? new Map<number, number>(),
    ];
    const offsets = [...new Set([...want.keys(), ...have.keys()])].sort((a, b) => a - b);
    return offsets.flatMap((weekOffset): RetentionDifference[] => {
      const difference = {
        ...{ cohortWeek, weekOffset },
        ...{ expected: want.get(weekOffset) ?? 0, actual: have.get(weekOffset) ?? 0 },
      };
      if (remaining) return difference.actual <= difference.expected ? [] : [{ ...difference, bound: "at most" }];
      return difference.actual === difference.expected ? [] : [difference];
    });
  });
  return {
    differences: wrong.flat(),
    equalCohorts: wrong.filter((differences) => differences.length === 0).length,
    notCheckable: weeks.length - checkable.length,
  };
}

/**
 * Recomputes the weekly retention from the raw events by SQL and compares it with that of the generation: all cohorts, because a
 * late event may change any of them.
 * @throws Error of the BigQuery client when a query fails
 */
export async function compareRetentionWithRawEvents(
  queries: MeteredQueries,
  scope: Scope,
  horizon: Horizon | undefined,
): Promise<RetentionComparison> {
  const actual = await queries.run(
    `SELECT cohort_week, week_offset, person_count FROM ${table(scope, weeklyRetentionAllView)}
     WHERE generation = ${scope.generation}`,
  );
  const expected = await queries.run(expectedRetentionSql(scope));
  const remaining = horizon && { horizon, hasAnonymousIds: await hasAnonymousIds(queries, scope) };
  return compareRetention(byCohort(expected), byCohort(actual), remaining);
}
