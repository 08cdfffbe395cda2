import assert from "node:assert/strict";
import fc from "fast-check";
import { loadCell, StoredState, storedTexts } from "../testing/statefulRun";
import { addPartials, SessionLedger, type SessionShard } from "./sessionLedger";

const GAP = 60_000;

describe("SessionLedger", () => {
  it("the state of SessionLedger is the same after it was stored and loaded", async () => {
    const bundle = fc.array(
      fc.tuple(
        fc.constantFrom("a", "b", "c"),
        fc.integer({ min: 0, max: 60 }).map((n) => n * 30_000),
      ),
      { maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(bundle, { maxLength: 60 }), async (bundles) => {
        const { sessions } = new SessionLedger(GAP).states();
        const stored = new StoredState();
        const cell = sessions.createCell();
        for (const starts of bundles) {
          const partials = starts.map(([sessionId, t]) => ({ sessionId, intervals: [[t, t + 10_000] as const] }));
          const change = addPartials(cell.state, 0, partials, GAP);
          if (change) cell.log(change.changed);
          await stored.save(cell);
        }
        const sorted = (shard: SessionShard) => [...shard].sort(([a], [b]) => (a < b ? -1 : 1));
        assert.deepEqual(sorted(loadCell(sessions, stored.bytes).state), sorted(cell.state));
      }),
    );
  });

  it("SessionLedger loads the state that earlier versions stored, and stores changes in the same format", async () => {
    const { sessions } = new SessionLedger(GAP).states();
    // A snapshot of two sessions, and two changes after it, the second of which joins both intervals of "a".
    const old = storedTexts('[["a",0,10000,100000,100000],["b|;",5,5]]', '[["c",7,7]]', '[["a",50000,50000]]');
    const cell = loadCell(sessions, old);
    assert.deepEqual(
      [...cell.state],
      [
        ["a", [[0, 100_000]]],
        ["b|;", [[5, 5]]],
        ["c", [[7, 7]]],
      ],
    );
    const stored = new StoredState();
    const change = addPartials(cell.state, 0, [{ sessionId: "d", intervals: [[1, 2]] }], GAP);
    cell.log(change?.changed ?? assert.fail());
    await stored.save(cell);
    assert.deepEqual(Buffer.from(stored.bytes), storedTexts('[["d",1,2]]'));
  });

  it("SessionLedger compacts its state when the log has outgrown it", async () => {
    const { sessions } = new SessionLedger(GAP).states();
    const stored = new StoredState();
    const cell = sessions.createCell();
    for (let i = 0; i < 1000; i++) {
      const change = addPartials(cell.state, 0, [{ sessionId: "a", intervals: [[0, i * 1000]] }], GAP);
      if (change) cell.log(change.changed);
      await stored.save(cell);
    }
    assert.ok(stored.clears > 5, `compacted ${stored.clears} times`);
    assert.ok(stored.bytes.length < 5000, `${stored.bytes.length} bytes for one session`);
    assert.deepEqual([...loadCell(sessions, stored.bytes).state], [["a", [[0, 999_000]]]]);
  });
});
