import assert from "node:assert/strict";
import fc from "fast-check";
import { loadCell, StoredState, storedRecords } from "../testing/statefulRun";
import { addIntervals, SessionLedger } from "./sessionLedger";

const GAP = 60_000;

describe("SessionLedger", () => {
  it("the state of a session is the same after it was stored and loaded, and packed for the cache, however often its log was compacted", async () => {
    const starts = fc.array(
      fc.integer({ min: 0, max: 60 }).map((n) => n * 30_000),
      { maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(starts, { maxLength: 60 }), fc.boolean(), async (bundles, isPacked) => {
        const { sessions } = new SessionLedger(GAP, false).states();
        const stored = new StoredState();
        let cell = sessions.createCell();
        for (const bundle of bundles) {
          const change = addIntervals(
            cell.state,
            bundle.map((t) => [t, t + 10_000] as const),
            GAP,
          );
          if (change) cell.log(change.added);
          await stored.save(cell);
          // As the worker's cache keeps it between bundles.
          const packed = isPacked ? cell.pack() : undefined;
          if (!packed) continue;
          cell = sessions.createCell();
          cell.unpack(packed);
        }
        assert.deepEqual(loadCell(sessions, stored.bytes).state, cell.state);
      }),
    );
  });

  it("SessionLedger loads the state that earlier versions stored, and stores changes in the same format", async () => {
    const { sessions } = new SessionLedger(GAP, false).states();
    // A snapshot of two intervals, and a change after it that joins both.
    const old = storedRecords(
      Uint8Array.of(0, 0x90, 0x4e, 0xa0, 0x8d, 0x06, 0), // 0 to 10,000, and 100,000
      Uint8Array.of(0xd0, 0x86, 0x03, 0), // 50,000
    );
    const cell = loadCell(sessions, old);
    assert.deepEqual(cell.state.intervals, [[0, 100_000]]);
    const stored = new StoredState();
    const change = addIntervals(cell.state, [[100_000, 100_300]], GAP);
    assert.deepEqual(change, { added: [[100_000, 100_300]], sessions: 0, durationMs: 300 });
    cell.log(change.added);
    await stored.save(cell);
    assert.deepEqual(Buffer.from(stored.bytes), storedRecords(Uint8Array.of(0xa0, 0x8d, 0x06, 0xac, 0x02)));
  });

  it("the state of a session that grows in 1,000 bundles stays below 200 bytes", async () => {
    const { sessions } = new SessionLedger(GAP, false).states();
    const stored = new StoredState();
    const cell = sessions.createCell();
    for (let i = 0; i < 1000; i++) {
      const change = addIntervals(cell.state, [[i * 1000, i * 1000]], GAP);
      if (change) cell.log(change.added);
      await stored.save(cell);
      assert.ok(stored.bytes.length < 200, `${stored.bytes.length} bytes for one session`);
    }
    assert.ok(stored.clears > 30, `compacted ${stored.clears} times`);
    assert.deepEqual(loadCell(sessions, stored.bytes).state.intervals, [[0, 999_000]]);
  });
});
