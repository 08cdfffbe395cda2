import type { RefreshResult } from "@eventlogger/gcp/bigquery/breakdowns/refreshBreakdowns";
import { single, type CommandRun, type FileMetric } from "./metricsFile";

/** The result of `refresh` as metrics. Their label `dataset` is that of the whole file. */
export function refreshMetrics(
  { generations, bytesScanned }: RefreshResult,
  { startedAt, endedAt }: CommandRun,
): FileMetric[] {
  return [
    single(
      "eventlogger_refresh_last_run_timestamp_seconds",
      "When the last refresh of the breakdowns ended, as Unix time",
      endedAt / 1000,
    ),
    single("eventlogger_refresh_duration_seconds", "Time that the refresh took", (endedAt - startedAt) / 1000),
    {
      name: "eventlogger_refresh_computed_days",
      help: "Days that the refresh has computed, by generation",
      samples: generations.map(({ generation, days }) => ({
        labels: { generation: String(generation) },
        value: days.length,
      })),
    },
    ...(bytesScanned === undefined
      ? []
      : [single("eventlogger_refresh_scanned_bytes", "Bytes that BigQuery has read for the refresh", bytesScanned)]),
  ];
}
