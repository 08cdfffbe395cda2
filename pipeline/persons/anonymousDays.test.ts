import assert from "node:assert/strict";
import { dayOf } from "@eventlogger/events/day";
import { markDay } from "@eventlogger/events/persons/markedDay";
import { listMarkedDays } from "@eventlogger/events/persons/personDays";
import type { ParsedEvent } from "../parse/parsedEvent";
import { IdHash, userKey } from "../shards";
import { parsedEvent } from "../testing/parsedEvents";
import { runBundle } from "../testing/runBundle";
import { CollectAnonymousDays } from "./anonymousDays";
import { decodeAnonymousDays } from "./encoding";

const SECRET = "00112233445566778899aabbccddeeff";
const NOON = Date.UTC(2026, 0, 31, 12);
const TODAY = dayOf(NOON);

const event = (anonymous_id: string | null, user_id: string | null, daysAgo = 0, is_bot = false): ParsedEvent =>
  parsedEvent({ anonymous_id, user_id, is_bot, event_time: NOON - daysAgo * 86_400_000 });

function keyOf(id: string): string {
  const hash = new IdHash(SECRET);
  hash.update(id);
  return userKey(hash);
}

/** What a bundle emits: for each id, users and marked days. */
async function emitted(doFn: CollectAnonymousDays, ...events: ParsedEvent[]): Promise<unknown> {
  const output = await runBundle(doFn, events);
  return Object.fromEntries(
    output.map(({ key, value }) => [
      key,
      decodeAnonymousDays(value)
        .map(({ user, days }) => [user ?? null, listMarkedDays(days)])
        .sort(),
    ]),
  );
}

const marked = (daysAgo = 0, isBot = false): number => markDay(TODAY - daysAgo, isBot);

describe("CollectAnonymousDays", () => {
  it("a bundle emits the days of each anonymous id, by the users that it was seen with, and nothing for other events", async () => {
    const doFn = new CollectAnonymousDays(SECRET, true);
    const found = await emitted(
      doFn,
      ...[event(null, "u"), event("a", null), event("a", null), event("a", "u"), event("a", "u", 1), event("a", "v")],
      ...[event("a", null, 2, true), event("b", null)],
    );
    assert.deepEqual(found, {
      [keyOf("a")]: [
        [null, [marked(), marked(2, true)]],
        [keyOf("u"), [marked(1), marked()]],
        [keyOf("v"), [marked()]],
      ].sort(),
      [keyOf("b")]: [[null, [marked()]]],
    });
  });

  it("what was emitted is left out by later bundles, but a new link, day or class is not", async () => {
    const doFn = new CollectAnonymousDays(SECRET, true);
    await emitted(doFn, event("a", null), event("a", "u"));
    assert.deepEqual(await emitted(doFn, event("a", "u"), event("a", null)), {});
    assert.deepEqual(await emitted(doFn, event("a", "u", 0, true), event("a", "a")), {
      [keyOf("a")]: [
        [keyOf("u"), [marked(0, true)]],
        [keyOf("a"), [marked()]],
      ].sort(),
    });
  });

  it("where the runner does not allow it, nothing is left out", async () => {
    const doFn = new CollectAnonymousDays(SECRET, false);
    for (let bundle = 0; bundle < 2; bundle++) {
      assert.deepEqual(await emitted(doFn, event("a", null)), { [keyOf("a")]: [[null, [marked()]]] });
    }
  });

  it("of an id with thousands of users in a bundle, 51 are emitted, which make it a shared id", async () => {
    const events = Array.from({ length: 5000 }, (_, i) => event("a", `u${i}`));
    const output = await runBundle(new CollectAnonymousDays(SECRET, true), events);
    assert.deepEqual(
      output.map(({ value }) => decodeAnonymousDays(value).length),
      [51],
    );
  });
});
