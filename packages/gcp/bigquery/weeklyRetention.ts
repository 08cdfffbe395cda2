import type { BigQuery } from "@google-cloud/bigquery";
import type { DayRange } from "./dailyRollups";
import { runQuery, type ResultRow } from "./query";
import { definitionsOf, definitionsSql, type RollupDefinitions } from "./rollupDefinitions";
import { generationsTable } from "./tables";
import { tableReference, weeklyRetentionView } from "./views";

/** The persons whose first day is in one week. */
export interface RetentionCohort {
  /** YYYY-MM-DD; the Monday of the ISO week, in the time zone of the generation. */
  readonly week: string;
  /** Number of persons. */
  readonly size: number;
  /** Persons of the cohort who were active in its week, in the week after it, and so on, until the last week with any. */
  readonly retained: readonly number[];
}

export interface WeeklyRetention {
  /** In ascending order of week. */
  readonly cohorts: readonly RetentionCohort[];
  /** Those of the active generation; undefined before the first start of the pipeline. */
  readonly definitions: RollupDefinitions | undefined;
}

/**
 * Reads the retention of the cohorts whose weeks begin in a range of days, and its definitions, in one query: see `readDailyRollups`.
 * @throws Error of the BigQuery client when the query fails
 */
export async function readWeeklyRetention(
  bigquery: BigQuery,
  dataset: string,
  { from, to }: DayRange,
): Promise<WeeklyRetention> {
  const reference = (name: string): string => tableReference(bigquery.projectId, dataset, name);
  const rows = await runQuery(
    bigquery,
    `SELECT ${definitionsSql}, cohort_week, week_offset, person_count, cohort_size
     FROM ${reference(generationsTable.name)} AS active
     LEFT JOIN (
       SELECT * FROM ${reference(weeklyRetentionView.name)}
       WHERE cohort_week BETWEEN CAST(@from AS DATE) AND CAST(@to AS DATE)
     ) AS retention
       ON retention.generation = active.generation
     WHERE status = 'active'
     ORDER BY cohort_week, week_offset`,
    { from, to },
  );
  return { cohorts: cohortsOf(rows), definitions: rows[0] && definitionsOf(rows[0]) };
}

/** The cohorts of rows in the order of week and offset. Weeks without persons have no row. */
function cohortsOf(rows: readonly ResultRow[]): RetentionCohort[] {
  const cohorts = new Map<string, { readonly size: number; readonly retained: number[] }>();
  for (const row of rows) {
    const week = row.textOrNull("cohort_week");
    if (week === null) continue;
    const cohort = cohorts.get(week) ?? { size: row.number("cohort_size"), retained: [] };
    cohorts.set(week, cohort);
    while (cohort.retained.length < row.number("week_offset")) cohort.retained.push(0);
    cohort.retained.push(row.number("person_count"));
  }
  return [...cohorts].map(([week, cohort]) => ({ week, ...cohort }));
}
