import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { waitUntil } from "@eventlogger/process/wait";
import { underLoad, untilWorkersRun, useClusterRig } from "./clusterRig";

const RECOVERY_MS = 120_000;

describe("The pipeline on a Flink cluster whose workers and machines are killed under load", function () {
  this.timeout(600_000);
  this.bail(true); // each test adds to the data of the one before
  // One slot each: one machine is spare.
  const rig = useClusterRig({ machines: 3, parallelism: 2 });

  const used = () => rig.machines.filter((machine) => rig.workersOf(machine).length > 0);

  it("the numbers are exact after a worker was killed", () =>
    underLoad(rig, async () => {
      const [machine] = used();
      assert(machine);
      const old = rig.workersOf(machine);
      for (const pid of old) process.kill(pid, "SIGKILL");
      await waitUntil("another worker", () => used().some((m) => rig.workersOf(m).some((pid) => !old.includes(pid))), {
        timeoutMs: RECOVERY_MS,
      });
    }));

  it("the numbers are exact after a worker pool was killed with its workers, and started again", () =>
    underLoad(rig, async () => {
      const [, machine] = used();
      assert(machine);
      await rig.restartPool(machine);
      await untilWorkersRun(rig, RECOVERY_MS);
    }));

  it("the numbers are exact after a TaskManager was killed alone, and its worker ends by itself", () =>
    underLoad(rig, async () => {
      const [machine] = used();
      assert(machine);
      const orphans = rig.workersOf(machine);
      await rig.cluster.killTaskManager(machine.taskManager);
      await waitUntil("the worker to end", () => rig.workersOf(machine).every((pid) => !orphans.includes(pid)), {
        timeoutMs: RECOVERY_MS,
      });
      await rig.killMachine(machine);
      await untilWorkersRun(rig, RECOVERY_MS);
    }));

  it("the numbers are exact after a machine was killed, and the job continues when another one joins", () =>
    underLoad(rig, async () => {
      const [machine] = used();
      assert(machine);
      await rig.killMachine(machine);
      await sleep(3000);
      await rig.addMachine();
      await untilWorkersRun(rig, RECOVERY_MS);
    }));
});
