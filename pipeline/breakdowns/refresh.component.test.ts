import assert from "node:assert/strict";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { refreshBreakdowns } from "@eventlogger/gcp/bigquery/breakdowns/refreshBreakdowns";
import { PERSONS_STATE_FORMAT, type GenerationSettings } from "@eventlogger/gcp/bigquery/generations";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { bruteForceBreakdowns } from "@eventlogger/traffic/bruteForceBreakdowns";
import { createRandom } from "@eventlogger/traffic/generator/random";
import { insertEvents, storedBreakdowns } from "./testing/breakdownRows";

const GAP_MS = 30 * 60_000;
const HOUR = 3_600_000;
const DIMENSIONS = ["event_name", "country", "page", "properties.plan"];

const settingsOf = (timeZone: string, countBots: boolean): GenerationSettings => ({
  ...{ sessionGapMs: GAP_MS, timeZone, countBots, stateFormat: PERSONS_STATE_FORMAT, shardHashSecret: "ab".repeat(16) },
});

/** Values of a property: scalars, objects, and texts that could be taken for something else. */
const PLANS = [
  null,
  "pro",
  "free",
  "null",
  "(none)",
  7,
  1.5,
  true,
  { a: [1, 2] },
  [],
  "",
  'it\'s \\ "x"',
  "ü".repeat(300),
];

/** Events of few sessions, users and devices within some days, of which some are repeated deliveries. */
function traffic(seed: number, count: number, from: number, days: number): AnalyticsEvent[] {
  const generator = createRandom(seed);
  const random = (below: number): number => Math.floor(generator.float() * below);
  const one = <T>(values: readonly T[]): T => values[random(values.length)] as T;
  const events: AnalyticsEvent[] = [];
  for (let i = 0; i < count; i++) {
    const device = random(30);
    const event_time = from + random(days * 24 * HOUR);
    const plan = one(PLANS);
    const made = event({
      event_id: `${seed} ${i}`,
      session_id: `s${random(12)}`,
      event_name: one(["view", "click", "buy"]),
      user_id: random(3) === 0 ? `u${random(40)}` : null,
      anonymous_id: random(3) === 0 ? null : device === 0 ? "shared" : `a${device}`,
      country: one(["DE", "FR", "US", null, "de"]),
      page: one(["/", "/a", null, "é", "\u{1F600}"]),
      properties: plan === null && random(2) === 0 ? null : { plan },
      is_bot: random(5) === 0,
      event_time,
      received_at: event_time + random(2 * HOUR),
    });
    events.push(made);
    if (random(10) === 0) events.push(made);
    // The same id with other content.
    if (random(20) === 0)
      events.push({ ...made, country: "IT", event_time: event_time + 1, received_at: made.received_at + random(3) });
  }
  for (let i = 0; i < 51 && seed % 2 === 0; i++) {
    events.push(
      event({
        event_id: `${seed} shared ${i}`,
        session_id: "shared",
        user_id: `m${i}`,
        anonymous_id: "shared",
        event_time: from + i,
      }),
    );
  }
  return events;
}

describe("refreshBreakdowns", function () {
  this.timeout(120_000);
  const fixture = useBigQueryEmulator();
  const today = Math.floor(Date.now() / 86_400_000) * 86_400_000;

  for (const [timeZone, countBots] of [
    ["UTC", false],
    ["Europe/Berlin", true],
    ["Australia/Lord_Howe", false],
  ] as const) {
    it(`computes what brute force counts, in ${timeZone} ${countBots ? "with" : "without"} bots`, async () => {
      const settings = settingsOf(timeZone, countBots);
      const dataset = await fixture.datasetWithGeneration(settings);
      const events = traffic(countBots ? 2 : 1, 600, today - 4 * 24 * HOUR, 4);
      await insertEvents(fixture.bigquery, dataset, events);
      await refreshBreakdowns(fixture.bigquery, { dataset, dimensions: DIMENSIONS });
      const expected = bruteForceBreakdowns(events, { dimensions: DIMENSIONS, gapMs: GAP_MS, timeZone, countBots });
      const stored = await storedBreakdowns(fixture.bigquery, dataset);
      assert.deepEqual(stored.days, expected.days);
      assert.deepEqual(stored.hours, expected.hours);
    });
  }
});
