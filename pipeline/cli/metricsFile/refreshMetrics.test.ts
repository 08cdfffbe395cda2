import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { metricsText } from "./metricsFile";
import { refreshMetrics } from "./refreshMetrics";

const RUN = { startedAt: 1_779_000_000_000, endedAt: 1_779_000_002_500 };

const generation = (id: number, days: readonly string[]) => ({
  ...{ generation: id, dimensions: ["country"], days, keptDays: [], refreshedAt: "2026-05-17T06:40:00.000Z" },
});

describe("the metrics of refresh", () => {
  it("are all in the table of docs/operations/monitoring.md, which has no others", () => {
    const page = readFileSync(join(repositoryRoot, "docs", "operations", "monitoring.md"), "utf8");
    const documented = [...page.matchAll(/^\| `(eventlogger_refresh_\w+)` \|/gm)].map(([, name]) => name);
    const names = refreshMetrics({ generations: [], bytesScanned: 1 }, RUN).map(({ name }) => name);
    assert.deepEqual(documented.sort(), names.sort());
  });

  it("have the end and the time of the refresh, the days of each generation, and the bytes", async () => {
    const result = { generations: [generation(1, ["2026-05-16", "2026-05-17"]), generation(2, [])], bytesScanned: 10 };
    const text = await metricsText(refreshMetrics(result, RUN), { dataset: "analytics" });
    assert.deepEqual(
      text.split("\n").filter((line) => line && !line.startsWith("#")),
      [
        'eventlogger_refresh_last_run_timestamp_seconds{dataset="analytics"} 1779000002.5',
        'eventlogger_refresh_duration_seconds{dataset="analytics"} 2.5',
        'eventlogger_refresh_scanned_bytes{dataset="analytics"} 10',
        'eventlogger_refresh_computed_days{dataset="analytics",generation="1"} 2',
        'eventlogger_refresh_computed_days{dataset="analytics",generation="2"} 0',
      ],
    );
  });

  it("have no bytes when BigQuery reports none", () => {
    const names = refreshMetrics({ generations: [], bytesScanned: undefined }, RUN).map(({ name }) => name);
    assert.ok(!names.includes("eventlogger_refresh_scanned_bytes"));
  });
});
