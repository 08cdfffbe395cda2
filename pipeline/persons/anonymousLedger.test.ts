import assert from "node:assert/strict";
import fc from "fast-check";
import {
  MAX_LINKED_USERS,
  type AnonymousChange,
  type AnonymousId,
  type Contribution,
} from "@eventlogger/events/persons/anonymousId";
import { markDay } from "@eventlogger/events/persons/markedDay";
import { PersonChange } from "@eventlogger/events/persons/personDeltas";
import { daysOf } from "../testing/personDays";
import { loadCell, StoredState } from "../testing/statefulRun";
import { AnonymousLedger, updateAnonymousId } from "./anonymousLedger";
import type { AnonymousDays } from "./encoding";

const declaration = new AnonymousLedger({ countBots: false }).declare().states.id;
const FIRST_DAY = 20_000;

const newChange = (): AnonymousChange & { readonly contributions: Contribution[] } => ({
  person: new PersonChange({ countBots: false }, true),
  contributions: [],
});

/** The key of the n-th user. */
const userOf = (n: number): string => Buffer.alloc(16, n).toString("base64url");

function seen(user: number | null, ...days: number[]): AnonymousDays {
  return { user: user === null ? undefined : userOf(user), days: daysOf(days) };
}

/** What an id has, without the order of its links. */
const contentOf = ({ days, links, isShared }: AnonymousId): unknown => ({
  ...{ days, isShared },
  links: links && [...links].sort(([a], [b]) => (a < b ? -1 : 1)),
});

describe("AnonymousLedger", () => {
  it("the state of an anonymous id is the same after it was stored and loaded, however often its log was compacted", async () => {
    const day = fc.integer({ min: FIRST_DAY, max: FIRST_DAY + 400 });
    const seenDays = fc
      .tuple(
        fc.option(fc.nat(MAX_LINKED_USERS + 4)),
        fc.array(fc.tuple(day, fc.boolean()), { minLength: 1, maxLength: 3 }),
      )
      .map(([user, days]) => seen(user, ...days.map(([day, isBot]) => markDay(day, isBot))));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(seenDays, { maxLength: 4 }), { maxLength: 60 }), async (bundles) => {
        const stored = new StoredState();
        const cell = declaration.createCell();
        for (const bundle of bundles) {
          updateAnonymousId(cell, bundle, newChange());
          await stored.save(cell);
        }
        assert.deepEqual(contentOf(loadCell(declaration, stored.bytes).state), contentOf(cell.state));
      }),
      { numRuns: 50 },
    );
  });

  it("an id that is seen with a 51st user takes back everything it contributed, and keeps only the mark of a shared id", async () => {
    const stored = new StoredState();
    const cell = declaration.createCell();
    const sums = new Map<string, number>();
    const update = async (...list: AnonymousDays[]): Promise<void> => {
      const change = newChange();
      updateAnonymousId(cell, list, change);
      for (const { user, day, change: by } of change.contributions) {
        sums.set(`${user} ${day}`, (sums.get(`${user} ${day}`) ?? 0) + by);
      }
      await stored.save(cell);
    };
    const [own, linked] = [markDay(FIRST_DAY, false), markDay(FIRST_DAY + 1, false)];
    await update(seen(null, own));
    for (let user = 0; user < MAX_LINKED_USERS; user++) await update(seen(user, linked));
    assert.deepEqual([...sums.values()], Array(MAX_LINKED_USERS).fill(1), "each user has the day without a user");
    await update(seen(MAX_LINKED_USERS, linked));
    assert.deepEqual([...sums.values()], Array(MAX_LINKED_USERS).fill(0));
    assert.deepEqual([...stored.bytes], [1, 3]);
    await update(seen(3, own), seen(null, linked));
    assert.deepEqual([...stored.bytes], [1, 3], "nothing more is stored");
    assert.ok(loadCell(declaration, stored.bytes).state.isShared);
  });
});
