import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { usePipelineRig, WORKER_MEMORY_MIB } from "./rig/pipelineRig";
import { keepBusy, throttle } from "./rig/throttle";

/** Time to exact numbers after the end of a stall, in addition to its length, ms. */
const RECOVERY_ALLOWANCE_MS = 30_000;
/** The tests wait longer than that, so that a failure shows the real time. */
const SETTLE_MS = 200_000;
const MAX_ROWS_PER_EVENT = 1.2;

describe("Stalls of Pub/Sub and of the worker", function () {
  this.timeout(500_000);
  // Long enough that ingest sends no message twice: rows beyond one per event are redeliveries.
  const rig = usePipelineRig({ publishTimeout: "90s" });

  /** Redeliveries of earlier tests do not count. */
  async function assertBounded(rowsBefore: number, eventsBefore: number, stallMs: number): Promise<void> {
    const { ms, rowsPerEvent } = await rig.settle(SETTLE_MS);
    const rows = rowsPerEvent * rig.ledger.events - rowsBefore;
    const events = rig.ledger.events - eventsBefore;
    assert.ok(rows <= MAX_ROWS_PER_EVENT * events, `${rows} rows for ${events} events`);
    // Resident memory is more than the heap.
    assert.ok(rig.workerPeakMiB < WORKER_MEMORY_MIB / 2, `the worker used ${rig.workerPeakMiB} MiB`);
    assert.ok(ms < stallMs + RECOVERY_ALLOWANCE_MS, `exact ${ms} ms after a stall of ${stallMs} ms`);
  }
  async function before(): Promise<[rows: number, events: number]> {
    if (rig.ledger.events === 0) return [0, 0];
    const { rowsPerEvent } = await rig.settle(SETTLE_MS);
    return [rowsPerEvent * rig.ledger.events, rig.ledger.events];
  }
  /** Each event once: what repeats in the tables was redelivered. */
  const uniqueTraffic = (count: number) => rig.traffic({ count, duplicateShare: 0 });

  it("memory and rows stay bounded when Pub/Sub does not answer for 30 seconds at 1,000 events per second", async () => {
    const [rows, events] = await before();
    const stallMs = 30_000;
    const sending = rig.send(uniqueTraffic(50_000), { rate: 1000, batchSize: 100 });
    await sleep(10_000);
    process.kill(rig.pubsubEmulatorPid, "SIGSTOP");
    try {
      await sleep(stallMs);
    } finally {
      process.kill(rig.pubsubEmulatorPid, "SIGCONT");
    }
    await sending;
    await assertBounded(rows, events, stallMs);
  });

  it("memory and rows stay bounded when the worker gets 5 % of a CPU for 40 seconds", async () => {
    const [rows, events] = await before();
    const stallMs = 40_000;
    const sending = rig.send(uniqueTraffic(20_000), { rate: 500, batchSize: 100 });
    const release = throttle(() => rig.workerPids(), 0.05);
    try {
      await sleep(stallMs);
    } finally {
      release();
    }
    await sending;
    await assertBounded(rows, events, stallMs);
  });

  it("memory and rows stay bounded with a session of 20,000 events while other processes keep the CPUs busy", async () => {
    const [rows, events] = await before();
    const now = Date.now();
    const session = uniqueTraffic(20_000).map((event, i) => ({
      ...event,
      event_id: `hot-${now}-${i}`,
      session_id: `hot-${now}`,
      user_id: "hot",
      event_time: now - 3_600_000 + ((i * 7919) % 20_000) * 100,
    }));
    const release = keepBusy(2);
    const startedAt = performance.now();
    try {
      await rig.send(session, { batchSize: 200 });
    } finally {
      release();
    }
    await assertBounded(rows, events, performance.now() - startedAt);
  });
});
