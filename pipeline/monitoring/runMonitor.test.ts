import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "@eventlogger/process/ports";
import { waitUntil } from "@eventlogger/process/wait";
import { PipelineStuckError, RunMonitor } from "./runMonitor";

describe("RunMonitor", () => {
  let directory: string;
  let warnings: string[];
  const monitors: RunMonitor[] = [];
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "monitor-"));
    warnings = [];
  });
  afterEach(async () => {
    for (const monitor of monitors.splice(0)) await monitor.stop();
    rmSync(directory, { recursive: true });
  });

  async function start(port: number): Promise<RunMonitor> {
    const monitor = await RunMonitor.start({
      ...{ host: "127.0.0.1", port, stuckAfterMs: 2000, checkpointIntervalMs: 1000 },
      ...{ directory, logs: directory, warn: (line: string) => void warnings.push(line) },
    });
    monitors.push(monitor);
    return monitor;
  }

  it("warns when its port is in use, and watches the run all the same", async () => {
    const port = await freePort();
    assert.equal((await start(port)).address, `127.0.0.1:${port}`);
    assert.equal((await start(port)).address, undefined);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /cannot listen on 127\.0\.0\.1:\d+ \(.*EADDRINUSE.*Choose another --metrics-port/);
  });

  it("restarts and failed checkpoints that a cluster reports are in the metrics, and a failure is a warning", async () => {
    const port = await freePort();
    const monitor = await start(port);
    const reports = { restarts: 2, failedCheckpoints: 0, lastFailure: undefined as string | undefined };
    const record = { file: path.join(directory, "current.json"), checkpoints: directory, run: 1 };
    monitor.watch({ workers: { counters: {}, gauges: {} }, reports }, record);
    Object.assign(reports, { failedCheckpoints: 3, lastFailure: "java.io.IOException: No space left on device" });
    await waitUntil("the warning", () => warnings.length > 0);
    assert.match(warnings[0] ?? "", /a checkpoint failed.*No space left on device/);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    assert.match(metrics, /^pipeline_job_restarts_total 2$/m);
    assert.match(metrics, /^pipeline_failed_checkpoints_total 3$/m);
    assert.equal(monitor.restarts, 2);
  });

  it("is not ready before the first bundle, and stuck when nothing is finished after it", async () => {
    const port = await freePort();
    const monitor = await start(port);
    const counters: Record<string, number> = {};
    const record = { file: path.join(directory, "current.json"), checkpoints: directory, run: 1 };
    monitor.watch({ workers: { counters, gauges: {} } }, record);
    const ready = async (): Promise<number> => (await fetch(`http://127.0.0.1:${port}/readyz`)).status;
    assert.equal(await ready(), 503);
    counters["worker.bundles"] = 1;
    assert.equal(await ready(), 200);
    await assert.rejects(monitor.stuck, (error: Error) => {
      assert(error instanceof PipelineStuckError);
      assert.equal(error.exitCode, 3);
      assert.match(error.message, /no bundle was finished for \d+ s .*, and no checkpoint was completed for \d+ s /);
      return true;
    });
  });
});
