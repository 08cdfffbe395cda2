import assert from "node:assert/strict";
import { useClusterRig } from "./clusterRig";

/** Long enough for a busy machine. */
const SETTLE_MS = 180_000;

describe("The pipeline on a Flink cluster", function () {
  this.timeout(400_000);
  const rig = useClusterRig({ machines: 2, parallelism: 2 });

  it("two TaskManagers have a worker each, and the numbers are exact after one of the workers was killed", async () => {
    const workers = rig.machines.map((machine) => rig.workersOf(machine));
    assert.deepEqual(
      workers.map((pids) => pids.length),
      [1, 1],
    );
    await rig.pipeline.send(rig.pipeline.traffic({ count: 1500 }));
    process.kill(workers[0]?.[0] as number, "SIGKILL");
    await rig.pipeline.send(rig.pipeline.traffic({ count: 1500 }));
    await rig.pipeline.settle(SETTLE_MS);
    assert.match(rig.pipeline.run?.logTail(100) ?? "", /was killed by SIGKILL; Flink starts the job again/);
  });

  it("run cancels its job when it stops, so that nothing runs on the cluster", async () => {
    await rig.pipeline.stopPipeline();
    const states = (await rig.cluster.rest.jobs()).map(({ state }) => state);
    assert.deepEqual(states, ["CANCELED"]);
  });
});
