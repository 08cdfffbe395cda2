import assert from "node:assert/strict";
import { dayOf } from "@eventlogger/events/day";
import { dayOfMarked } from "@eventlogger/events/persons/markedDay";
import { listMarkedDays } from "@eventlogger/events/persons/personDays";
import type { ParsedEvent } from "../parse/parsedEvent";
import { parsedEvent } from "../testing/parsedEvents";
import { runBundle } from "../testing/runBundle";
import { countedDaysBytes } from "./countedDays";
import { decodeUserUpdate } from "./encoding";
import { CollectUserDays } from "./userDays";

const SECRET = "00112233445566778899aabbccddeeff";
const NOON = Date.UTC(2026, 0, 31, 12);
const TODAY = dayOf(NOON);
const event = (user_id: string | null, daysAgo = 0): ParsedEvent =>
  parsedEvent({ user_id, event_time: NOON - daysAgo * 86_400_000 });

/** The days that a bundle emits, sorted. */
async function emitted(doFn: CollectUserDays, ...events: ParsedEvent[]): Promise<number[]> {
  const updates = (await runBundle(doFn, events)).map(({ value }) => decodeUserUpdate(value));
  return updates
    .flatMap((update) => (update.kind === "days" ? listMarkedDays(update.days) : []))
    .map(dayOfMarked)
    .sort();
}

describe("CollectUserDays", () => {
  it("a pair of user and day is emitted once by the bundles of an instance", async () => {
    const doFn = new CollectUserDays(SECRET, true);
    assert.deepEqual(await emitted(doFn, event("u"), event("u"), event("u", 1), event(null)), [TODAY - 1, TODAY]);
    assert.deepEqual(await emitted(doFn, event("u"), event("v"), event("u", 1), event("u", 2)), [TODAY - 2, TODAY]);
    assert.deepEqual(await emitted(doFn, event("u"), event("v"), event("u", 2)), []);
  });

  it("the pairs of a bundle that has failed are emitted again", async () => {
    const doFn = new CollectUserDays(SECRET, true);
    assert.deepEqual(await emitted(doFn, event("u")), [TODAY]);
    // Fails before its end.
    doFn.startBundle();
    doFn.process(event("v"), () => {});
    doFn.bundleFailed();
    assert.deepEqual(await emitted(doFn, event("u"), event("v")), [TODAY]);
    // Fails after its end, by another step.
    assert.deepEqual(await emitted(doFn, event("w")), [TODAY]);
    doFn.bundleFailed();
    assert.deepEqual(await emitted(doFn, event("w")), [TODAY]);
  });

  it("another instance, as the next attempt of a job has it in a worker that lives on, emits all pairs again", async () => {
    for (let attempt = 0; attempt < 3; attempt++) {
      const doFn = new CollectUserDays(SECRET, true);
      assert.deepEqual(await emitted(doFn, event("u"), event("v")), [TODAY, TODAY]);
      assert.deepEqual(await emitted(doFn, event("u"), event("v")), []);
    }
  });

  it("where the runner does not allow it, no pair is left out", async () => {
    const doFn = new CollectUserDays(SECRET, false);
    for (let bundle = 0; bundle < 3; bundle++) assert.deepEqual(await emitted(doFn, event("u")), [TODAY]);
  });

  it("the memory for emitted pairs is a sixteenth of the worker's heap limit, at most 128 MiB, and a power of two", () => {
    const MiB = 1024 * 1024;
    assert.equal(countedDaysBytes(2096 * MiB), 128 * MiB);
    assert.equal(countedDaysBytes(64_000 * MiB), 128 * MiB);
    assert.equal(countedDaysBytes(300 * MiB), 16 * MiB);
  });
});
