import assert from "node:assert/strict";
import fc from "fast-check";
import type { ActiveDays } from "@eventlogger/events/users/activeDays";
import { loadCell, StoredState, storedTexts } from "../testing/statefulRun";
import { addUserDays, UserLedger, type UserShard } from "./userLedger";

const FIRST_DAY = 18_000;
const LAST_DAY = 20_600;

/** A user with one day is kept as that day, or, loaded from a snapshot, as a set: both must answer the same. */
function listDays(known: number | ActiveDays): number[] {
  return Array.from({ length: LAST_DAY - FIRST_DAY + 1 }, (_, i) => FIRST_DAY + i).filter(
    (day) => addUserDays(new Map([["x", known]]), [{ userId: "x", days: [day] }]).changed.length === 0,
  );
}
const listUsers = (shard: UserShard): (readonly [string, number[]])[] =>
  [...shard].map(([id, days]) => [id, listDays(days)] as const).sort(([a], [b]) => (a < b ? -1 : 1));

describe("UserLedger", () => {
  it("the state of UserLedger is the same after it was stored and loaded", async () => {
    const bundle = fc.array(fc.tuple(fc.constantFrom("u", "v", "w"), fc.integer({ min: FIRST_DAY, max: LAST_DAY })), {
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(bundle, { maxLength: 60 }), async (bundles) => {
        const { users } = new UserLedger().states();
        const stored = new StoredState();
        const cell = users.createCell();
        for (const pairs of bundles) {
          const { changed } = addUserDays(
            cell.state,
            pairs.map(([userId, day]) => ({ userId, days: [day] })),
          );
          if (changed.length) cell.log(changed);
          await stored.save(cell);
        }
        assert.deepEqual(listUsers(loadCell(users, stored.bytes).state), listUsers(cell.state));
      }),
      { numRuns: 30 },
    );
  });

  it("UserLedger loads the state that earlier versions stored, and stores changes in the same format", async () => {
    const { users } = new UserLedger().states();
    // A snapshot with a user of one day and one with a set of the days 20,000 and 20,002, and a change after it.
    const cell = loadCell(
      users,
      storedTexts('[["one",20001],["set","AQAACcQF"]]', '[["one",20003,19000],["new",18000]]'),
    );
    assert.deepEqual(listUsers(cell.state), [
      ["new", [18_000]],
      ["one", [19_000, 20_001, 20_003]],
      ["set", [20_000, 20_002]],
    ]);
    const stored = new StoredState();
    cell.log(addUserDays(cell.state, [{ userId: "set", days: [20_002, 20_004] }]).changed);
    await stored.save(cell);
    assert.deepEqual(Buffer.from(stored.bytes), storedTexts('[["set",20004]]'));
  });
});
