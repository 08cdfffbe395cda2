import assert from "node:assert/strict";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { readBreakdown } from "@eventlogger/gcp/bigquery/breakdowns/readBreakdown";
import { readHours } from "@eventlogger/gcp/bigquery/breakdowns/readHours";
import { refreshScript } from "@eventlogger/gcp/bigquery/breakdowns/refreshScript";
import {
  DEFAULT_LOOK_BACK_MS,
  refreshBreakdowns,
  type RefreshOptions,
  type RefreshResult,
} from "@eventlogger/gcp/bigquery/breakdowns/refreshBreakdowns";
import {
  activateGeneration,
  createGeneration,
  PERSONS_STATE_FORMAT,
  type GenerationSettings,
} from "@eventlogger/gcp/bigquery/generations";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { setUpBigQuery } from "@eventlogger/gcp/bigquery/setup/setUpBigQuery";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import type { BreakdownComparison } from "@eventlogger/gcp/bigquery/verify/compareBreakdowns";
import { verifyDataset } from "@eventlogger/gcp/bigquery/verify/verify";
import { bruteForceBreakdowns, compareText } from "@eventlogger/traffic/bruteForceBreakdowns";
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

/** Fewer of them keep the tests short: the emulator needs most time for the text of the statements. */
const FEW = ["country", "properties.plan"];

describe("refreshBreakdowns", () => {
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

  /** A dataset with some events, and what a test needs to compare it with brute force. */
  async function prepared(seed: number, settings = settingsOf("UTC", false)) {
    const dataset = await fixture.datasetWithGeneration(settings);
    const events = traffic(seed, 250, today - 3 * 24 * HOUR, 3);
    await insertEvents(fixture.bigquery, dataset, events);
    const refresh = (options: Partial<RefreshOptions> = {}): Promise<RefreshResult> =>
      refreshBreakdowns(fixture.bigquery, { dataset, dimensions: FEW, ...options });
    const add = async (...more: AnalyticsEvent[]): Promise<void> => {
      events.push(...more);
      await insertEvents(fixture.bigquery, dataset, more);
    };
    const assertExact = async (dimensions: readonly string[] = FEW): Promise<void> => {
      const { timeZone = "UTC", countBots = false, sessionGapMs: gapMs } = settings;
      const expected = bruteForceBreakdowns(events, { dimensions, gapMs, timeZone, countBots });
      const stored = await storedBreakdowns(fixture.bigquery, dataset);
      assert.deepEqual(stored.days, expected.days);
      assert.deepEqual(stored.hours, expected.hours);
    };
    const sql = (statement: string): Promise<unknown> => runQuery(fixture.bigquery, statement.replaceAll("$", dataset));
    return { dataset, events, refresh, add, assertExact, sql };
  }

  const daysOf = ({ generations: [one] }: RefreshResult): readonly string[] => one?.days ?? [];
  const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

  it("a refresh computes only the days with new rows, those of rows that waited for 7 days, and those of anonymous ids that log in days later", async () => {
    const { refresh, add, assertExact } = await prepared(3);
    assert.equal(daysOf(await refresh()).length, 3);
    assert.deepEqual(daysOf(await refresh()), []);
    const [old, recent] = [today - 3 * 24 * HOUR + 5, today - 24 * HOUR + 5];
    await add(
      event({ event_id: "visit", session_id: "v", anonymous_id: "visitor", event_time: old, received_at: old }),
    );
    assert.deepEqual(daysOf(await refresh()), [dateOf(old)]);
    await add(
      event({
        event_id: "late",
        session_id: "v",
        anonymous_id: "visitor",
        user_id: "u1",
        event_time: recent,
        received_at: today,
      }),
    );
    assert.deepEqual(daysOf(await refresh()), [dateOf(old), dateOf(recent)]);
    const received = today - 7 * 24 * HOUR;
    await add(
      event({ event_id: "again", session_id: "v", anonymous_id: "visitor", user_id: "u1", event_time: recent + 9 }),
      event({ event_id: "waited", session_id: "w", user_id: "u1", event_time: received - 9, received_at: received }),
    );
    const touched = [dateOf(received - 9), dateOf(recent)];
    assert.deepEqual(daysOf(await refresh()), touched, "not the days of a link that is known");
    await assertExact();
  });

  it("a refresh that is interrupted before each of its statements is completed by the next one", async () => {
    const { refresh, add, assertExact } = await prepared(7);
    const [anonymous_id, visit] = ["device", today - 2 * 24 * HOUR];
    await add(event({ event_id: "visit", session_id: "i", anonymous_id, event_time: visit }));
    await refresh();
    await add(event({ event_id: "login", session_id: "i", anonymous_id, user_id: "u", event_time: today - 1000 }));
    const interruptions: number[] = [];
    for (let before = 1; before <= 5; before++) {
      const stop = new AbortController();
      let step = 0;
      const interrupted = refresh({
        signal: stop.signal,
        step: async (_name, work) => {
          if (++step === before) stop.abort();
          return work();
        },
      });
      await assert.rejects(interrupted, { name: "AbortError" });
      interruptions.push(step);
    }
    assert.deepEqual(interruptions, [1, 2, 3, 4, 5], "each statement has its own step");
    assert.deepEqual(daysOf(await refresh()), [dateOf(visit), dateOf(today - 1000)]);
    await assertExact();
  });

  it("refreshes that run at the same time, the first ones and later ones, leave the numbers of one", async () => {
    const { refresh, add, assertExact } = await prepared(9);
    await Promise.all([refresh(), refresh()]);
    await assertExact();
    await add(event({ event_id: "more", session_id: "m", user_id: "m", event_time: today - 5000 }));
    await Promise.all([refresh(), refresh()]);
    await assertExact();
  });

  it("the script of a scheduled query computes the same, at first and again", async () => {
    const { dataset, add, refresh, assertExact } = await prepared(19, settingsOf("Asia/Kathmandu", true));
    const { project, bigquery } = fixture;
    const script = refreshScript({
      ...{ project, dataset, dimensions: FEW, lookBackMs: DEFAULT_LOOK_BACK_MS, retentionMs: undefined },
    });
    await runQuery(bigquery, script);
    await assertExact();
    await add(event({ event_id: "one more", session_id: "o", user_id: "o", event_time: today - 5000 }));
    await runQuery(bigquery, script);
    await assertExact();
    assert.deepEqual(daysOf(await refresh()), []);
  });

  it("other dimensions compute all days again, and rows that are deleted by hand are noticed with all", async () => {
    const { refresh, events, assertExact, sql } = await prepared(11);
    await refresh();
    assert.deepEqual(daysOf(await refresh({ dimensions: undefined })), [], "those of the last refresh");
    assert.equal(daysOf(await refresh({ dimensions: ["app", "country"] })).length, 3);
    await assertExact(["app", "country"]);
    const [first] = events.filter(({ anonymous_id }) => anonymous_id === null);
    await sql(`DELETE FROM $.events WHERE event_id = '${first?.event_id}'`);
    events.splice(0, events.length, ...events.filter(({ event_id }) => event_id !== first?.event_id));
    await refresh({ dimensions: undefined, all: true });
    await assertExact(["app", "country"]);
  });

  it("a new generation has its breakdowns before readers see it, and each keeps its own", async () => {
    const { dataset, refresh, assertExact, events } = await prepared(13);
    await createGeneration(fixture.bigquery, dataset, { settings: settingsOf("Asia/Kathmandu", true) });
    const { generations } = await refresh();
    assert.deepEqual(
      generations.map(({ generation, days }) => [generation, days.length > 0]),
      [
        [1, true],
        [2, true],
      ],
    );
    await assertExact();
    await activateGeneration(fixture.bigquery, dataset, 2);
    const definitions = { dimensions: FEW, gapMs: GAP_MS, timeZone: "Asia/Kathmandu", countBots: true };
    const stored = await storedBreakdowns(fixture.bigquery, dataset);
    const expected = bruteForceBreakdowns(events, definitions);
    assert.deepEqual(stored.days, expected.days);
    assert.deepEqual(stored.hours, expected.hours);
  });

  it("days of deleted rows keep their numbers, also when a late event touches them", async () => {
    const { dataset, refresh, add, assertExact } = await prepared(15);
    await refresh();
    await setUpBigQuery(fixture.bigquery, { dataset, eventRetention: 3 });
    const first = dateOf(today - 3 * 24 * HOUR);
    const late = event({
      event_id: "too late",
      session_id: "t",
      user_id: "t",
      event_time: today - 3 * 24 * HOUR + 7,
      received_at: Date.now() - 1000,
    });
    await insertEvents(fixture.bigquery, dataset, [late]);
    const [result] = (await refresh()).generations;
    assert.deepEqual([result?.days, result?.keptDays.includes(first)], [[], true]);
    await add(
      event({
        event_id: "recent",
        session_id: "r",
        user_id: "r",
        event_time: Date.now() - 1000,
        received_at: Date.now() - 500,
      }),
    );
    assert.deepEqual(daysOf(await refresh()), [dateOf(Date.now())]);
    await assertExact();
  });

  it("readBreakdown and readHours return what brute force counts, and verify finds each number that differs", async () => {
    const { dataset, events, refresh, sql } = await prepared(17, settingsOf("Europe/Berlin", false));
    const range = { from: dateOf(today - 3 * 24 * HOUR), to: dateOf(today - 2 * 24 * HOUR) };
    const request = { dimension: "country", range, limit: 2 };
    const empty = await readBreakdown(fixture.bigquery, dataset, request);
    assert.deepEqual([empty.refreshedAt, empty.dimensions, empty.values], [null, [], []]);
    await refresh();
    const { days, hours } = bruteForceBreakdowns(events, { dimensions: FEW, timeZone: "Europe/Berlin" });
    const ofDay = days.filter(({ date, dimension }) => date === range.from && dimension === "country");
    const one = await readBreakdown(fixture.bigquery, dataset, { ...request, range: { ...range, to: range.from } });
    const [, second] = ofDay;
    assert.deepEqual(one.dimensions, FEW);
    assert.deepEqual(
      one.values,
      ofDay.slice(0, 2).map(({ value, events: n, sessions, persons }) => ({
        value,
        events: n,
        sessions,
        person_days: persons,
        persons,
      })),
    );
    assert.deepEqual(one.other, {
      value_count: ofDay.length - 2,
      events: ofDay.slice(2).reduce((sum, day) => sum + day.events, 0),
      ...{ sessions: second?.sessions_below, person_days: second?.persons_below, persons: second?.persons_below },
    });
    const two = await readBreakdown(fixture.bigquery, dataset, request);
    const sums = new Map<string, number>();
    for (const { date, dimension, value, events: n } of days) {
      if (dimension === "country" && date <= range.to && date >= range.from)
        sums.set(value, (sums.get(value) ?? 0) + n);
    }
    const sorted = [...sums].sort(([a, n], [b, m]) => m - n || compareText(a, b));
    assert.deepEqual(
      two.values.map(({ value, events: n, persons }) => [value, n, persons]),
      sorted.slice(0, 2).map((pair) => [...pair, null]),
    );
    assert.equal(
      two.other.events,
      sorted.slice(2).reduce((sum, [, n]) => sum + n, 0),
    );
    assert.deepEqual([two.other.persons, two.other.sessions, two.totals.persons], [null, null, null]);
    const ofHours = await readHours(fixture.bigquery, dataset, range.from);
    assert.equal(ofHours.hours.length, 24);
    assert.match(ofHours.hours[0]?.hour ?? "", new RegExp(`^${range.from}T00:00:00[+]0[12]:00$`));
    assert.deepEqual(
      ofHours.hours
        .filter(({ events: n, sessions }) => n + sessions > 0)
        .map(({ hour, ...numbers }) => ({ ...numbers, hour: Date.parse(hour) })),
      hours
        .filter(({ date, dimension, sessions }) => date === range.from && dimension === "(all)" && sessions > 0)
        .map(({ events: n, persons, sessions, hour }) => ({ events: n, persons, sessions, hour })),
    );
    const compare = async (): Promise<BreakdownComparison> => {
      const { breakdowns } = await verifyDataset(fixture.bigquery, { dataset });
      assert.ok(breakdowns);
      return breakdowns;
    };
    const equal = await compare();
    assert.deepEqual([equal.differences, equal.pendingDays, equal.comparesPersons], [[], [], true]);
    assert.equal(equal.equalDays, new Set(days.map(({ date }) => date)).size);
    const change = "WHERE dimension = 'country' AND value = 'DE' AND date = ";
    await sql(`UPDATE $.daily_breakdowns SET sessions_below = sessions_below + 1 ${change}DATE '${range.from}'`);
    await sql(`DELETE FROM $.hourly_events ${change}DATE '${range.to}'`);
    const wrong = await compare();
    assert.equal(wrong.equalDays, equal.equalDays - 2);
    const kinds = wrong.differences.map(({ date, hour, number }) => [date, hour !== undefined, number].join());
    assert.deepEqual([...new Set(kinds)].sort(), [
      `${range.from},false,sessions_below`,
      ...["events", "persons", "sessions"].map((number) => `${range.to},true,${number}`),
    ]);
    for (const [date, count] of [
      ["2026-03-29", 23],
      ["2026-10-25", 25],
    ] as const) {
      assert.equal((await readHours(fixture.bigquery, dataset, date)).hours.length, count);
    }
    const noon = Date.parse("2026-10-24T22:30:00Z");
    assert.equal((await readHours(fixture.bigquery, dataset, undefined, noon)).date, "2026-10-25");
  });
});
