import assert from "node:assert/strict";
import fc from "fast-check";
import type { FoldedCell } from "@eventlogger/beam/state/cells";
import type { StateClient } from "@eventlogger/beam/state/stateChannel";
import type { StateDeclaration } from "@eventlogger/beam";
import { addPartials, SessionLedger, type SessionBucket } from "./sessions/sessionLedger";
import { addUserDays, UserLedger, type UserBucket } from "./users/userLedger";
import type { SessionPartials } from "./encoding";

const GAP = 60_000;

/** Stored state as a runner keeps it: bytes that are appended and cleared. */
class Stored {
  bytes: Uint8Array = new Uint8Array();
  clears = 0;
  readonly client = {
    append: (_key: unknown, data: Uint8Array) => {
      this.bytes = Buffer.concat([this.bytes, data]);
      return Promise.resolve();
    },
    clear: () => {
      this.clears++;
      this.bytes = new Uint8Array();
      return Promise.resolve();
    },
  } as unknown as StateClient;
}

const anyKey = { type: { oneofKind: undefined } } as const;

/** Reads what was stored into a new cell, as another worker would. */
function reload<S, R>(declaration: StateDeclaration<FoldedCell<S, R>>, stored: Stored): S {
  const cell = declaration.createCell();
  cell.load(stored.bytes);
  return cell.state;
}

describe("ledger state", () => {
  it("of sessions is the same after it was stored and read again, and is compacted", async () => {
    const partials = fc.array(
      fc.tuple(
        fc.constantFrom("a", "b", "c"),
        fc.integer({ min: 0, max: 60 }).map((n) => n * 30_000),
      ),
      { maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(partials, { maxLength: 60 }), async (bundles) => {
        const { sessions } = new SessionLedger(GAP).states();
        const stored = new Stored();
        const cell = sessions.createCell();
        for (const bundle of bundles) {
          const list = bundle.map(([id, t]): SessionPartials[number] => [id, t, t + 10_000]);
          const change = addPartials(cell.state, 0, list, GAP);
          if (change) cell.log(change.changed);
          await Promise.all(cell.save(stored.client, anyKey));
        }
        const sort = (bucket: SessionBucket) => [...bucket].sort(([a], [b]) => (a < b ? -1 : 1));
        assert.deepEqual(sort(reload(sessions, stored)), sort(cell.state));
      }),
    );
  });

  it("of users is the same after it was stored and read again", async () => {
    const days = fc.array(fc.tuple(fc.constantFrom("u", "v", "w"), fc.integer({ min: 18_000, max: 20_600 })), {
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(days, { maxLength: 60 }), async (bundles) => {
        const { users } = new UserLedger().states();
        const stored = new Stored();
        const cell = users.createCell();
        for (const bundle of bundles) {
          const { changed } = addUserDays(cell.state, bundle);
          if (changed.length) cell.log(changed);
          await Promise.all(cell.save(stored.client, anyKey));
        }
        const plain = (bucket: UserBucket) => {
          const asDays = (d: UserBucket extends Map<string, infer V> ? V : never) => {
            const copy: UserBucket = new Map();
            // A user with one day is kept as that day, or, read from a snapshot, as a set: both answer the same.
            copy.set("x", d);
            return Array.from({ length: 2601 }, (_, i) => 18_000 + i).filter(
              (day) => addUserDays(new Map(copy), [["x", day]]).changed.length === 0,
            );
          };
          return [...bucket].map(([id, d]) => [id, asDays(d)] as const).sort(([a], [b]) => (a < b ? -1 : 1));
        };
        assert.deepEqual(plain(reload(users, stored)), plain(cell.state));
      }),
      { numRuns: 30 },
    );
  });

  it("is compacted when the log has outgrown the state", async () => {
    const { sessions } = new SessionLedger(GAP).states();
    const stored = new Stored();
    const cell = sessions.createCell();
    for (let i = 0; i < 1000; i++) {
      const change = addPartials(cell.state, 0, [["a", 0, i * 1000]], GAP);
      if (change) cell.log(change.changed);
      await Promise.all(cell.save(stored.client, anyKey));
    }
    assert(stored.clears > 5, "it was compacted");
    assert(stored.bytes.length < 5000, `${stored.bytes.length} bytes for one session`);
    assert.deepEqual([...reload(sessions, stored)], [["a", [[0, 999_000]]]]);
  });
});
