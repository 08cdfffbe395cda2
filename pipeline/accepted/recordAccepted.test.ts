import assert from "node:assert/strict";
import fc from "fast-check";
import {
  eventIdHash,
  SAMPLE_SIZE,
  SHARDS_PER_DAY,
  shardOfHash,
  type AcceptedIds,
} from "@eventlogger/events/accepted/acceptedIds";
import { DAY_MS, dayStart } from "@eventlogger/events/day";
import type { ParsedEvent } from "../parse/parsedEvent";
import { Computations } from "../testing/computations";
import { parsedEvent } from "../testing/parsedEvents";
import { loadCell, StoredState } from "../testing/statefulRun";
import { AcceptedLedger } from "./acceptedLedger";

const event = (day: number, id: string): ParsedEvent => parsedEvent({ event_id: id, event_time: dayStart(day) + 1 });
const NO_GAP = 1000;

/** The set of hashes of each day. */
function record(rows: readonly AcceptedIds[]): Map<number, Set<number>> {
  const days = new Map<number, Set<number>>();
  for (const { day, hashes } of rows) {
    const known = days.get(day) ?? new Set<number>();
    for (const hash of hashes) known.add(hash);
    days.set(day, known);
  }
  return days;
}
const hashesOf = (events: readonly ParsedEvent[]): AcceptedIds[] =>
  events.map(({ event: { event_time, event_id } }) => ({
    day: Math.floor(event_time / DAY_MS),
    hashes: [eventIdHash(event_id)],
    recordedAt: 0,
  }));

/** Neighbouring days, and days that share their keys: 64 days and more apart. */
const days = fc.constantFrom(-70, 20_000, 20_001, 20_064, 20_065, 20_640);
const events = fc.array(fc.record({ day: days, id: fc.integer({ min: 0, max: 60 }) }), { maxLength: 60 }).map((list) =>
  // An event_id belongs to one event, and so to one day.
  list.map(({ day, id }) => event(day, `e${id} of ${day}`)),
);

describe("recordAccepted", () => {
  it("the record is the set of accepted events, whatever the order, bundles, redelivery and duplicates", async () => {
    await fc.assert(
      fc.asyncProperty(
        events.chain((list) => fc.shuffledSubarray([...list, ...list], { minLength: list.length })),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        async (sent, sizes) => {
          const rows = await new Computations(NO_GAP).recordAccepted(sent, sizes);
          assert.deepEqual(record(rows), record(hashesOf(sent)));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("events that are redelivered add nothing to the record, and a new event of a known day adds one hash", async () => {
    const computations = new Computations(NO_GAP);
    const list = Array.from({ length: 500 }, (_, i) => event(20_000, `e${i}`));
    const [row, ...more] = await computations.recordAccepted(list);
    assert.deepEqual([row?.hashes.length, more.length], [500, 0]);
    assert.deepEqual(await computations.recordAccepted([...list, ...list].reverse(), [7]), []);
    const [next] = await computations.recordAccepted([...list, event(20_000, "new")]);
    assert.deepEqual(next?.hashes, [eventIdHash("new")]);
  });

  it("a day of 160,000 events is recorded as a sample: the smallest hashes of each shard", async () => {
    const ids = Array.from({ length: 160_000 }, (_, i) => `e${i}`);
    const rows = await new Computations(NO_GAP).recordAccepted(
      ids.map((id) => event(20_000, id)),
      [40_000],
    );
    const recorded = record(rows).get(20_000) ?? new Set();
    const hashes = ids.map(eventIdHash);
    for (let shard = 0; shard < SHARDS_PER_DAY; shard++) {
      const all = hashes.filter((hash) => shardOfHash(hash) === shard);
      const smallest = all.sort((a, b) => a - b).slice(0, SAMPLE_SIZE);
      assert.deepEqual(
        smallest.filter((hash) => !recorded.has(hash)),
        [],
      );
    }
    assert(recorded.size < ids.length, `${recorded.size} hashes are recorded`);
    assert(rows.every(({ hashes }) => hashes.length <= 10_000));
  });

  it("the state of AcceptedLedger is the same after it was stored and loaded, and is as small as the sample", async () => {
    const bundle = fc.record({
      day: fc.constantFrom(20_000, 20_064),
      hashes: fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(bundle, { maxLength: 40 }), async (bundles) => {
        const { accepted } = new AcceptedLedger().states();
        const stored = new StoredState();
        const cell = accepted.createCell();
        for (const { day, hashes } of bundles) {
          const entered = cell.state.add({ day, hashes });
          if (entered.length && cell.state.day === day) cell.log({ day, hashes: entered });
          await stored.save(cell);
        }
        const { content } = loadCell(accepted, stored.bytes).state;
        assert.deepEqual(content, cell.state.content);
        assert(stored.bytes.length <= 6 * (2 * cell.state.size + 64) + 7 * bundles.length);
      }),
      { numRuns: 50 },
    );
  });
});
