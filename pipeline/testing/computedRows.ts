import type { AnalyticsEvent } from "@eventlogger/events/event";
import type { AcceptedIdsRow, RetentionVersionRow, RollupVersionRow } from "@eventlogger/gcp/bigquery/tables";
import { acceptedIdsRow, retentionVersionRow, rollupVersionRow } from "../io/bigquery/sinkRows";
import type { Computations } from "./computations";

/** Rows of the tables of numbers. */
export interface ComputedRows {
  readonly daily_rollup_versions: RollupVersionRow[];
  readonly weekly_retention_versions: RetentionVersionRow[];
  readonly accepted_ids: AcceptedIdsRow[];
}

/** What the pipeline writes for further events, besides their own rows. @param computations keep the state between calls */
export async function computedRows(
  events: readonly AnalyticsEvent[],
  computations: Computations,
): Promise<ComputedRows> {
  const parsed = events.map((one) => ({ event: one, isStale: false }));
  const persons = await computations.countPersons(parsed);
  const days = await computations.totalDays([...(await computations.countSessions(parsed)), ...persons.days]);
  return {
    daily_rollup_versions: days.map(rollupVersionRow),
    weekly_retention_versions: (await computations.totalCohorts(persons.weeks)).map(retentionVersionRow),
    accepted_ids: (await computations.recordAccepted(parsed)).map(acceptedIdsRow),
  };
}
