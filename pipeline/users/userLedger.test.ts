import assert from "node:assert/strict";
import fc from "fast-check";
import { loadCell, StoredState, storedRecords } from "../testing/statefulRun";
import { addUserDay, UserLedger, type User } from "./userLedger";

const FIRST_DAY = 18_000;
const LAST_DAY = 20_600;

/** A user with one day is kept as that day, or, loaded from a snapshot, as a set: both must answer the same. */
function listDays({ days }: User): number[] {
  return Array.from({ length: LAST_DAY - FIRST_DAY + 1 }, (_, i) => FIRST_DAY + i).filter(
    (day) => addUserDay({ days }, day) === undefined,
  );
}

describe("UserLedger", () => {
  it("the state of a user is the same after it was stored and loaded, however often its log was compacted", async () => {
    const day = fc.integer({ min: FIRST_DAY, max: LAST_DAY });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(day, { maxLength: 5 }), { maxLength: 80 }), async (bundles) => {
        const { days } = new UserLedger().states();
        const stored = new StoredState();
        const cell = days.createCell();
        for (const bundle of bundles) {
          const added = bundle.filter((one) => addUserDay(cell.state, one));
          if (added.length) cell.log(added);
          await stored.save(cell);
        }
        assert.deepEqual(listDays(loadCell(days, stored.bytes).state), listDays(cell.state));
      }),
      { numRuns: 30 },
    );
  });

  it("the state of a user who is active every day for three years stays below 600 bytes", async () => {
    const { days } = new UserLedger().states();
    const stored = new StoredState();
    const cell = days.createCell();
    for (let day = FIRST_DAY; day < FIRST_DAY + 1095; day++) {
      assert(addUserDay(cell.state, day));
      cell.log([day]);
      await stored.save(cell);
      assert(stored.bytes.length < 600, `${stored.bytes.length} bytes on day ${day - FIRST_DAY}`);
    }
    assert(stored.clears > 10, `compacted ${stored.clears} times`);
  });

  it("UserLedger loads the state that earlier versions stored, and stores changes in the same format", async () => {
    const { days } = new UserLedger().states();
    // A snapshot with the days 20,000 and 20,002, and two changes after it.
    const old = storedRecords(
      Uint8Array.of(2, 0x88, 0x27, 0b101),
      Uint8Array.of(1, 0xc2, 0xb8, 0x02),
      Uint8Array.of(1, 0xf0, 0xa8, 0x02, 0xc6, 0xb8, 0x02),
    );
    const cell = loadCell(days, old);
    assert.deepEqual(listDays(cell.state), [19_000, 20_000, 20_001, 20_002, 20_003]);
    const stored = new StoredState();
    assert(addUserDay(cell.state, 20_004));
    cell.log([20_004]);
    await stored.save(cell);
    assert.deepEqual(Buffer.from(stored.bytes), storedRecords(Uint8Array.of(1, 0xc8, 0xb8, 0x02)));
  });
});
