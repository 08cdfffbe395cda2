import type { RefreshResult } from "@eventlogger/gcp/bigquery/breakdowns/refreshBreakdowns";
import { commandMetrics, type CommandRun, type FileMetric } from "./metricsFile";

/** The result of `refresh` as metrics. Their label `dataset` is that of the whole file. */
export function refreshMetrics({ generations, bytesScanned }: RefreshResult, run: CommandRun): FileMetric[] {
  return [
    ...commandMetrics("refresh", run, bytesScanned),
    {
      name: "eventlogger_refresh_computed_days",
      help: "Days that the refresh has computed, by generation",
      samples: generations.map(({ generation, days }) => ({
        labels: { generation: String(generation) },
        value: days.length,
      })),
    },
  ];
}
