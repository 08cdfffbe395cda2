/** The thread of the clock: writes the time into shared memory. See clock.ts. */
import { workerData } from "node:worker_threads";

const { time, stepMs } = workerData as { time: Int32Array; stepMs: number };
const start = performance.now();
const sleeper = new Int32Array(new SharedArrayBuffer(4));

for (;;) {
  Atomics.wait(sleeper, 0, 0, stepMs);
  time[0] = Math.round(performance.now() - start) | 0;
}
