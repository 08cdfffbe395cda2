import assert from "node:assert/strict";
import fc from "fast-check";
import { dayOf, dayStart } from "@eventlogger/events/day";
import { markDay } from "@eventlogger/events/persons/markedDay";
import { unionIntervals } from "@eventlogger/events/sessions/sessionIntervals";
import { IdHash, sessionKey } from "../shards";
import { parsedEvent } from "../testing/parsedEvents";
import { runBundle } from "../testing/runBundle";
import { decodeIntervals, encodeIntervals } from "./encoding";
import { EventPartials, FreshSessionIntervals, PaneIntervals, StaleSessionPartials } from "./sessionPartials";
import { SessionSet } from "./sessionSet";

const GAP = 30 * 60_000;
const SECRET = "00112233445566778899aabbccddeeff";
const T = Date.UTC(2026, 0, 31, 10);
const DAY = dayOf(T);

/** Two fresh events of one session, a fresh one the gap later, and a stale one of another session. */
const EVENTS = [
  parsedEvent({ session_id: "a", event_time: T }),
  parsedEvent({ session_id: "a", event_time: T + 1000 }),
  parsedEvent({ session_id: "a", event_time: T + 1000 + GAP }),
  parsedEvent({ session_id: "b", event_time: T }, true),
];

function keyOf(sessionId: string): string {
  const hash = new IdHash(SECRET);
  hash.update(sessionId);
  return sessionKey(DAY, false, hash);
}

describe("sessionPartials", () => {
  it("fresh events go to the windows as joined intervals, with the time of their last event", async () => {
    const timestamps: number[] = [];
    const doFn = new FreshSessionIntervals(GAP);
    doFn.startBundle();
    for (const event of EVENTS) doFn.process(event, () => assert.fail("a small bundle emits at its end"));
    doFn.finishBundle((_, timestampMs) => timestamps.push(timestampMs));
    assert.deepEqual(timestamps, [T + 1000, T + 1000 + GAP]);
    const output = await runBundle(doFn, EVENTS);
    assert.deepEqual(
      output.map(({ key, value }) => [key, decodeIntervals(value)]),
      [
        [`${DAY}|a`, [[T, T + 1000]]],
        [`${DAY}|a`, [[T + 1000 + GAP, T + 1000 + GAP]]],
      ],
    );
  });

  it("only stale events bypass the windows", async () => {
    const output = await runBundle(new StaleSessionPartials(GAP, SECRET), EVENTS);
    assert.deepEqual(
      output.map(({ key, value }) => [key, decodeIntervals(value, dayStart(DAY))]),
      [[keyOf("b"), [[T, T]]]],
    );
  });

  it("without windows, every session of a bundle goes to the ledger once, with all its intervals", async () => {
    const output = await runBundle(new EventPartials(GAP, SECRET), EVENTS);
    assert.deepEqual(
      output.map(({ key, value }) => [key, decodeIntervals(value, dayStart(DAY))]),
      [
        [
          keyOf("a"),
          [
            [T, T + 1000],
            [T + 1000 + GAP, T + 1000 + GAP],
          ],
        ],
        [keyOf("b"), [[T, T]]],
      ],
    );
  });

  it("a pane joins only intervals that are less than the gap apart", () => {
    const value = [[T + GAP, T + GAP] as const, [T, T] as const, [T + GAP + 1, T + GAP + 5] as const].map((interval) =>
      encodeIntervals([interval]),
    );
    const [pane] = new PaneIntervals(GAP).process({ key: "k", value });
    assert.equal(pane?.key, "k");
    assert.deepEqual(decodeIntervals(pane.value), [
      [T, T],
      [T + GAP, T + GAP + 5],
    ]);
  });

  it("the sessions of a bundle are the union of its intervals, in whatever order they are added", () => {
    const interval = fc
      .tuple(fc.nat(20), fc.nat(5))
      .map(([a, length]) => [T + a * GAP - (a % 3), T + (a + length) * GAP] as const);
    fc.assert(
      fc.property(fc.array(interval, { minLength: 1, maxLength: 20 }), (intervals) => {
        const set = new SessionSet(GAP);
        for (const [first, last] of intervals) set.add(markDay(DAY, true), "s", first, last);
        assert.equal(set.size, 1);
        assert.deepEqual(
          [...set.drain()],
          [{ day: DAY, isBot: true, sessionId: "s", intervals: unionIntervals(intervals, GAP) }],
        );
        assert.equal(set.size, 0);
      }),
    );
  });
});
