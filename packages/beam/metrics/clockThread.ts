/** The thread of the clock: writes the time into shared memory, and reports what holds the event loop. See clock.ts. */
import { writeSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from "node:worker_threads";
import { ACTIVITY, HEARTBEAT, TIME, type ClockOptions, type NamedActivity } from "./clockMemory";

const { memory, stepMs, lullMs } = workerData as ClockOptions;
const start = performance.now();
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const names = new Map<number, string>();
/** A pause of this thread is one of the whole process. */
const PAUSE_MS = 5000;

function receiveNames(): void {
  for (;;) {
    const received = receiveMessageOnPort(parentPort as MessagePort);
    if (!received) return;
    const { id, name } = received.message as NamedActivity;
    names.set(id, name);
  }
}

/** The console of a thread prints through the event loop, which is held. */
function report(heldMs: number): void {
  receiveNames();
  const what = names.get(memory[ACTIVITY] as number) ?? "code outside of steps";
  const text = `The event loop has been held for at least ${Math.round(heldMs / 1000)} s by ${what}: `;
  writeSync(2, `${text}progress, splits and other bundles of this worker wait\n`);
}

let reportedAt = 0;
let last = 0;
for (;;) {
  Atomics.wait(sleeper, 0, 0, stepMs);
  const now = Math.round(performance.now() - start) | 0;
  memory[TIME] = now;
  if (now - last > PAUSE_MS) memory[HEARTBEAT] = now;
  last = now;
  const heldMs = (now - (memory[HEARTBEAT] as number)) | 0;
  if (heldMs >= lullMs && ((now - reportedAt) | 0) >= lullMs) {
    reportedAt = now;
    report(heldMs);
  }
}
