import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { runMetrics, type RunSnapshot } from "./metrics";
import { MonitorServer } from "./monitorServer";

const SNAPSHOT: RunSnapshot = {
  counters: {
    events: 10,
    replayedEvents: 11,
    messageBytes: 2000,
    deadLetters: 3,
    conflictingEvents: 9,
    sharedAnonymousIds: 12,
    eventsWithUnknownFields: 13,
    "refusedRows.events": 2,
    "refusedRows.dead_letters": 1,
    "worker.bundles": 7,
    "worker.failedBundles": 4,
  },
  gauges: {
    "source.watermarkLagMs": 1500,
    "source.oldestUnacknowledgedMs": 2500,
    "source.replay.oldestUnacknowledgedMs": 4500,
  },
  jobRestarts: 5,
  failedCheckpoints: 6,
  checkpointAgeMs: 3500,
  stateBytes: undefined,
  clockSteps: 8,
};

describe("the metrics of run", () => {
  it("have the values of the run, in Prometheus' text format", async () => {
    const text = await runMetrics(() => SNAPSHOT).metrics();
    const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    assert.deepEqual(samples.sort(), [
      "pipeline_bundles_total 7",
      "pipeline_checkpoint_age_seconds 3.5",
      "pipeline_clock_steps_total 8",
      "pipeline_conflicting_events_total 9",
      "pipeline_dead_letters_total 5",
      "pipeline_events_total 10",
      "pipeline_events_with_unknown_fields_total 13",
      "pipeline_failed_bundles_total 4",
      "pipeline_failed_checkpoints_total 6",
      "pipeline_job_restarts_total 5",
      "pipeline_message_bytes_total 2000",
      "pipeline_oldest_unacknowledged_message_age_seconds 2.5",
      "pipeline_oldest_unacknowledged_replay_message_age_seconds 4.5",
      'pipeline_refused_rows_total{table="dead_letters"} 1',
      'pipeline_refused_rows_total{table="events"} 2',
      "pipeline_replayed_events_total 11",
      "pipeline_shared_anonymous_ids_total 12",
      "pipeline_watermark_lag_seconds 1.5",
    ]);
    assert.match(text, /^# TYPE pipeline_events_total counter$/m);
    assert.match(text, /^# TYPE pipeline_watermark_lag_seconds gauge$/m);
  });

  it("are all in the table of docs/operations/monitoring.md, which has no others", async () => {
    const page = readFileSync(path.join(repositoryRoot, "docs", "operations", "monitoring.md"), "utf8");
    const documented = [...page.matchAll(/^\| `(pipeline_\w+)` \|/gm)].map(([, name]) => name);
    const names = (await runMetrics(() => SNAPSHOT).getMetricsAsJSON()).map(({ name }) => name);
    assert.deepEqual(documented.sort(), names.sort());
  });
});

describe("MonitorServer", () => {
  it("answers health checks and metrics, and the reason why the pipeline is not ready", async () => {
    let reason: string | undefined = "the pipeline is starting";
    const server = await MonitorServer.start({
      host: "127.0.0.1",
      port: await freePort(),
      metrics: runMetrics(() => SNAPSHOT),
      notReady: () => reason,
    });
    try {
      const get = (page: string, method = "GET"): Promise<Response> =>
        fetch(`http://127.0.0.1:${server.port}${page}`, { method });
      assert.equal((await get("/healthz")).status, 200);
      const notReady = await get("/readyz");
      assert.equal(notReady.status, 503);
      assert.deepEqual(await notReady.json(), { status: "not ready", reason });
      reason = undefined;
      assert.equal((await get("/readyz?x=1")).status, 200);
      const metrics = await get("/metrics");
      assert.match(metrics.headers.get("content-type") ?? "", /^text\/plain/);
      assert.match(await metrics.text(), /^pipeline_events_total 10$/m);
      assert.deepEqual([(await get("/")).status, (await get("/metrics", "POST")).status], [404, 405]);
    } finally {
      await server.stop();
    }
  });
});
