import { setTimeout as sleep } from "node:timers/promises";
import { waitUntil } from "@eventlogger/process/wait";
import { printFigures } from "./faultReport";
import { newWorker, usePipelineRig } from "./rig/pipelineRig";

const DEATHS = 6;
/** Far below the checkpoint timeout of 3 minutes, which would also end a wait for a dead worker. */
const RESTART_LIMIT_MS = 60_000;
const SETTLE_MS = 180_000;

describe("Deaths of the worker under load", function () {
  this.timeout(600_000);
  const rig = usePipelineRig();

  it(`the job restarts within a minute after each of ${DEATHS} deaths, and the numbers are exact`, async () => {
    let isDone = false;
    const sending = (async () => {
      while (!isDone) await rig.send(rig.traffic({ count: 1000 }), { rate: 300 });
    })();
    const restarts: number[] = [];
    try {
      for (let death = 0; death < DEATHS; death++) {
        const old = await waitUntil("a worker", () => (rig.workerPids().length > 0 ? rig.workerPids() : undefined), {
          timeoutMs: RESTART_LIMIT_MS,
        });
        // At another moment of its bundles each time.
        await sleep(3000 + death * 137);
        for (const pid of old) process.kill(pid, "SIGKILL");
        const startedAt = performance.now();
        await newWorker(rig, old, RESTART_LIMIT_MS);
        restarts.push(performance.now() - startedAt);
      }
    } finally {
      isDone = true;
    }
    await sending;
    printFigures(`new workers after ${restarts.map((ms) => `${(ms / 1000).toFixed(1)} s`).join(", ")}`);
    await rig.settle(SETTLE_MS);
  });
});
