import assert from "node:assert/strict";
import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { waitUntil } from "@eventlogger/process/wait";
import { useClusterRig } from "./clusterRig";

/** Long enough for a busy machine. */
const SETTLE_MS = 180_000;
/** Flink updates its metrics every 10 seconds. */
const METRICS_LIMIT_MS = 60_000;

/** The folders of the jobs' checkpoints: `checkpoints/RUN/JOB`. */
function checkpointFolders(stateDir: string): string[] {
  const folders = (directory: string): string[] =>
    readdirSync(directory)
      .map((name) => path.join(directory, name))
      .filter((entry) => statSync(entry).isDirectory());
  return folders(path.join(stateDir, "checkpoints")).flatMap(folders);
}

describe("The metrics of run on a Flink cluster", function () {
  this.timeout(400_000);
  const rig = useClusterRig({ machines: 2, parallelism: 2 });

  it("a restart of the job is in the metrics of run", async () => {
    await rig.pipeline.send(rig.pipeline.traffic({ count: 500 }));
    const [worker] = rig.machines.flatMap((machine) => rig.workersOf(machine));
    process.kill(worker as number, "SIGKILL");
    const restarts = async (): Promise<boolean> => (await rig.metric("pipeline_job_restarts_total")) >= 1;
    await waitUntil("the restart", restarts, { timeoutMs: METRICS_LIMIT_MS });
    await rig.pipeline.settle(SETTLE_MS);
  });

  it("run reports checkpoints that the cluster cannot write, and the numbers are exact when it can again", async () => {
    const [checkpoints] = checkpointFolders(rig.pipeline.stateDir);
    assert(checkpoints);
    const aside = `${checkpoints}.aside`;
    renameSync(checkpoints, aside);
    writeFileSync(checkpoints, ""); // no folder can be created in a file
    const failed = async (): Promise<boolean> => (await rig.metric("pipeline_failed_checkpoints_total")) >= 1;
    await waitUntil("the failure", failed, { timeoutMs: METRICS_LIMIT_MS });
    rmSync(checkpoints);
    renameSync(aside, checkpoints);
    await rig.pipeline.send(rig.pipeline.traffic({ count: 500 }));
    await rig.pipeline.settle(SETTLE_MS);
    assert.match(rig.pipeline.run?.logTail(100) ?? "", /warning a checkpoint failed, and is tried again: .*\w/);
  });
});
