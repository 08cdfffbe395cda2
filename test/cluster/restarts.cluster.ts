import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { readCheckpointRecord } from "@eventlogger/beam/flink/checkpoints/checkpointRecord";
import type { ClusterJob } from "@eventlogger/beam/flink/cluster/flinkRest";
import { waitUntil } from "@eventlogger/process/wait";
import { underLoad, untilWorkersRun, useClusterRig } from "./clusterRig";

const RECOVERY_MS = 120_000;

describe("The pipeline on a Flink cluster that is started again under load", function () {
  this.timeout(600_000);
  this.bail(true); // each test adds to the data of the one before
  const rig = useClusterRig({ machines: 2, parallelism: 2 });

  it("the numbers are exact after only run was killed: the next run cancels the job that it left", () =>
    underLoad(rig, async () => {
      const { run } = rig.pipeline;
      assert(run);
      process.kill(run.pid, "SIGKILL");
      await run.exited;
      await rig.pipeline.startPipeline();
      const running = (await rig.cluster.rest.jobs()).filter(({ state }) => state === "RUNNING");
      assert.equal(running.length, 1);
    }));

  it("the numbers are exact after the JobManager was killed: run exits, and resumes when it is started again", () =>
    underLoad(rig, async () => {
      const { run } = rig.pipeline;
      assert(run);
      await rig.cluster.killJobManager();
      const { code } = await run.exited;
      assert.equal(code, 1, run.logTail());
      await rig.cluster.startJobManager();
      await waitUntil("the TaskManagers", async () => (await rig.cluster.rest.taskManagers()).length >= 2, {
        timeoutMs: RECOVERY_MS,
        retryErrors: true,
      });
      await rig.pipeline.startPipeline();
      assert.match(rig.pipeline.run?.logTail(50) ?? "", /resuming from checkpoint \d+/);
    }));

  it("the numbers are exact after the pipeline was restored with three workers instead of two", () =>
    underLoad(rig, async () => {
      while (rig.machines.length < 3) await rig.addMachine();
      await rig.pipeline.stopPipeline();
      rig.parallelism = 3;
      await rig.pipeline.startPipeline();
      await untilWorkersRun(rig, RECOVERY_MS);
    }));

  const recorded = () => readCheckpointRecord(path.join(rig.pipeline.stateDir, "current.json"))?.restorePoint;

  /** Starts the pipeline from a savepoint or checkpoint. */
  async function restoreFrom(directory: string): Promise<void> {
    rig.runArgs = ["--restore-from", directory];
    try {
      await rig.pipeline.startPipeline();
    } finally {
      rig.runArgs = [];
    }
  }

  it("the pipeline refuses a savepoint that is older than its last checkpoint, and resumes from a checkpoint that is named", async () => {
    const savepoint = await takeSavepoint();
    const before = recorded()?.checkpoint ?? 0;
    await waitUntil("a later checkpoint", () => (recorded()?.checkpoint ?? 0) > before + 2, { timeoutMs: RECOVERY_MS });
    await rig.pipeline.stopPipeline();
    await assert.rejects(restoreFrom(savepoint), /is older than checkpoint \d+ of --state-dir/);
    await restoreFrom(path.join(rig.pipeline.stateDir, recorded()?.path ?? ""));
    await underLoad(rig, async () => {});
  });

  it("the numbers are exact after the job was cancelled in Flink, and the pipeline resumed from a savepoint of that moment", () =>
    underLoad(rig, async () => {
      for (;;) {
        const { run } = rig.pipeline;
        assert(run);
        const savepoint = await takeSavepoint();
        await rig.cluster.rest.cancelJobs((await runningJob()).name, RECOVERY_MS);
        const { code } = await run.exited;
        assert.equal(code, 1, run.logTail());
        // A checkpoint that was recorded after the savepoint is newer: the savepoint would lack acknowledged events.
        const header = readFileSync(path.join(savepoint.replace(/^file:/, ""), "_metadata"));
        const isNewest = Number(header.readBigInt64BE(8)) > (recorded()?.checkpoint ?? 0);
        if (isNewest) return restoreFrom(savepoint);
        await rig.pipeline.startPipeline();
        await untilWorkersRun(rig, RECOVERY_MS);
      }
    }));

  async function runningJob(): Promise<ClusterJob> {
    const [job] = (await rig.cluster.rest.jobs()).filter(({ state }) => state === "RUNNING");
    assert(job);
    return job;
  }

  /** Takes a savepoint of the running job. @returns its folder, as a URI */
  async function takeSavepoint(): Promise<string> {
    const job = await runningJob();
    const url = `http://${rig.cluster.rest.address}/jobs/${job.id}/savepoints`;
    const body = JSON.stringify({ "target-directory": path.join(rig.pipeline.stateDir, "savepoints") });
    const response = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } });
    const { "request-id": id } = (await response.json()) as { "request-id": string };
    const location = async (): Promise<string | undefined> => {
      const { operation } = (await (await fetch(`${url}/${id}`)).json()) as { operation?: { location?: string } };
      return operation?.location;
    };
    return waitUntil("the savepoint", location, { timeoutMs: RECOVERY_MS, intervalMs: 200 });
  }
});
