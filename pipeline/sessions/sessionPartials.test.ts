import assert from "node:assert/strict";
import { dayOf } from "@eventlogger/events/day";
import { sessionShard, shardHash } from "../shards";
import { parsedEvent } from "../testing/parsedEvents";
import { runBundle } from "../testing/runBundle";
import { FreshSessionIntervals, PaneIntervals, StaleSessionPartials } from "./sessionPartials";

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

describe("sessionPartials", () => {
  it("fresh events go to the windows as joined intervals, with the time of their last event", async () => {
    const timestamps: number[] = [];
    const doFn = new FreshSessionIntervals(GAP);
    doFn.startBundle();
    for (const event of EVENTS) doFn.process(event, () => assert.fail("a small bundle emits at its end"));
    doFn.finishBundle((_, timestampMs) => timestamps.push(timestampMs));
    assert.deepEqual(timestamps, [T + 1000, T + 1000 + GAP]);
    assert.deepEqual(await runBundle(doFn, EVENTS), [
      { key: `${DAY}|a`, value: `${T},${T + 1000}` },
      { key: `${DAY}|a`, value: `${T + 1000 + GAP},${T + 1000 + GAP}` },
    ]);
  });

  it("only stale events bypass the windows", async () => {
    assert.deepEqual(await runBundle(new StaleSessionPartials(GAP, SECRET), EVENTS), [
      { key: sessionShard(shardHash(SECRET), DAY, "b"), value: `[["b",${T},${T}]]` },
    ]);
  });

  it("a pane joins only intervals that are less than the gap apart", () => {
    const value = [`${T + GAP},${T + GAP}`, `${T},${T}`, `${T + GAP + 1},${T + GAP + 5}`];
    assert.deepEqual(
      [...new PaneIntervals(GAP).process({ key: "k", value })],
      [{ key: "k", value: `${T},${T};${T + GAP},${T + GAP + 5}` }],
    );
  });
});
