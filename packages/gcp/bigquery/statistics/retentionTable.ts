import type { ValueTable } from "@eventlogger/events/table/csv";
import type { RetentionCohort } from "../weeklyRetention";

/** A row for each cohort and week, until the last week in which anyone of the cohort was active. */
export function retentionTable(cohorts: readonly RetentionCohort[]): ValueTable {
  return {
    columns: ["cohort_week", "cohort_size", "week_offset", "person_count"],
    rows: cohorts.flatMap(({ week, size, retained }) => retained.map((count, offset) => [week, size, offset, count])),
  };
}
