import assert from "node:assert/strict";
import fc from "fast-check";
import { markDay } from "@eventlogger/events/persons/markedDay";
import { listDays } from "@eventlogger/events/users/activeDays";
import type { User } from "@eventlogger/events/persons/user";
import { loadCell, StoredState, storedRecords } from "../testing/statefulRun";
import { encodeUserUpdate, type UserUpdate } from "./encoding";
import { UserLedger } from "./userLedger";

const FIRST_DAY = 18_000;
const LAST_DAY = 20_600;

const ledger = new UserLedger({ countBots: false });
const declaration = ledger.states().user;

function daysUpdate(day: number): UserUpdate {
  return { kind: "days", days: { human: day, bots: undefined } };
}

/** What a user has, without how it is kept. */
const contentOf = ({ direct, contributed, days }: User): unknown => ({
  direct,
  days,
  contributed: contributed && [...contributed].sort(([a], [b]) => a - b),
});

describe("UserLedger", () => {
  it("the state of a user is the same after it was stored and loaded, however often its log was compacted", async () => {
    const day = fc.integer({ min: FIRST_DAY, max: LAST_DAY });
    const updates = fc.oneof(
      day.map(daysUpdate),
      day.map((bots): UserUpdate => ({ kind: "days", days: { human: undefined, bots } })),
      fc
        .tuple(fc.integer({ min: FIRST_DAY, max: FIRST_DAY + 5 }), fc.boolean(), fc.constantFrom<1 | -1>(1, 1, -1))
        .map(([day, isBot, change]): UserUpdate => ({
          kind: "contributions",
          contributions: [{ day: markDay(day, isBot), change }],
        })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(updates, { maxLength: 5 }), { maxLength: 80 }), async (bundles) => {
        const stored = new StoredState();
        const user = declaration.createCell();
        for (const bundle of bundles) {
          for (const update of bundle) ledger.process("u", encodeUserUpdate(update), { user });
          await stored.save(user);
        }
        assert.deepEqual(contentOf(loadCell(declaration, stored.bytes).state), contentOf(user.state));
      }),
      { numRuns: 30 },
    );
  });

  it("the state of a user who is active every day for three years stays below 600 bytes", async () => {
    const stored = new StoredState();
    const user = declaration.createCell();
    for (let day = FIRST_DAY; day < FIRST_DAY + 1095; day++) {
      assert(ledger.process("u", encodeUserUpdate(daysUpdate(day)), { user }));
      await stored.save(user);
      assert(stored.bytes.length < 600, `${stored.bytes.length} bytes on day ${day - FIRST_DAY}`);
    }
    assert(stored.clears > 10, `compacted ${stored.clears} times`);
  });

  it("UserLedger loads the state that earlier starts stored, and stores changes in the same format", async () => {
    // A snapshot with the days 20,000 and 20,002, and two changes after it.
    const old = storedRecords(
      Uint8Array.of(3, 2, 0x88, 0x27, 1, 0b101),
      Uint8Array.of(3, 1, 0xc2, 0xb8, 0x02),
      Uint8Array.of(3, 1, 0xf0, 0xa8, 0x02),
    );
    const user = loadCell(declaration, old);
    assert.deepEqual(listDays(user.state.days.human), [19_000, 20_000, 20_001, 20_002]);
    const stored = new StoredState();
    assert(ledger.process("u", encodeUserUpdate(daysUpdate(20_004)), { user }));
    await stored.save(user);
    assert.deepEqual(Buffer.from(stored.bytes), storedRecords(Uint8Array.of(3, 1, 0xc8, 0xb8, 0x02)));
  });

  it("an update that changes nothing is not stored, and has no output", async () => {
    const user = declaration.createCell();
    assert(ledger.process("u", encodeUserUpdate(daysUpdate(20_000)), { user }));
    const stored = new StoredState();
    await stored.save(user);
    const { length } = stored.bytes;
    assert.equal(ledger.process("u", encodeUserUpdate(daysUpdate(20_000)), { user }), undefined);
    await stored.save(user);
    assert.equal(stored.bytes.length, length);
  });
});
