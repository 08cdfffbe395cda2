import assert from "node:assert/strict";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { readBreakdown } from "@eventlogger/gcp/bigquery/breakdowns/readBreakdown";
import { readHours } from "@eventlogger/gcp/bigquery/breakdowns/readHours";
import {
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

  /** A dataset with some events, and what a test needs to compare it with brute force. */
  async function prepared(seed: number, settings = settingsOf("UTC", false)) {
    const dataset = await fixture.datasetWithGeneration(settings);
    const events = traffic(seed, 250, today - 3 * 24 * HOUR, 3);
    await insertEvents(fixture.bigquery, dataset, events);
    const refresh = (options: Partial<RefreshOptions> = {}): Promise<RefreshResult> =>
      refreshBreakdowns(fixture.bigquery, { dataset, dimensions: DIMENSIONS, ...options });
    const add = async (...more: AnalyticsEvent[]): Promise<void> => {
      events.push(...more);
      await insertEvents(fixture.bigquery, dataset, more);
    };
    const assertExact = async (dimensions: readonly string[] = DIMENSIONS): Promise<void> => {
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

  it("a refresh computes only the days with new rows, and those of anonymous ids that log in days later", async () => {
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
    // The users of the link are known now.
    await add(
      event({
        event_id: "again",
        session_id: "v",
        anonymous_id: "visitor",
        user_id: "u1",
        event_time: recent + 9,
        received_at: today,
      }),
    );
    assert.deepEqual(daysOf(await refresh()), [dateOf(recent)]);
    await assertExact();
  });

  it("a row that arrives 7 days after it was received is counted", async () => {
    const { refresh, add, assertExact } = await prepared(5);
    await refresh();
    const old = today - 7 * 24 * HOUR;
    await add(
      event({ event_id: "late row", session_id: "l", user_id: "u1", event_time: old, received_at: old + 1000 }),
    );
    assert.deepEqual(daysOf(await refresh()), [dateOf(old)]);
    await assertExact();
  });

  it("a refresh that is interrupted before any of its statements is completed by the next one", async () => {
    const { refresh, add, assertExact } = await prepared(7);
    await refresh();
    const visit = today - 2 * 24 * HOUR;
    let statements = 0;
    for (let stopBefore = 1; ; stopBefore++) {
      const [anonymous_id, user_id] = [`device ${stopBefore}`, `user ${stopBefore}`];
      await add(event({ event_id: `v${stopBefore}`, session_id: "i", anonymous_id, event_time: visit + stopBefore }));
      await refresh();
      await add(
        event({
          event_id: `l${stopBefore}`,
          session_id: "i",
          anonymous_id,
          user_id,
          event_time: today - 1000 + stopBefore,
        }),
      );
      const stop = new AbortController();
      let step = 0;
      const interrupted = refresh({
        signal: stop.signal,
        step: async (_name, work) => {
          if (++step === stopBefore) stop.abort();
          return work();
        },
      });
      const isInterrupted = await interrupted.then(
        () => false,
        () => true,
      );
      if (!isInterrupted) break;
      statements++;
      await refresh();
    }
    assert.equal(statements, 5);
    await assertExact();
  });

  it("refreshes that run at the same time, the first ones and later ones, leave the numbers of one", async () => {
    const { refresh, add, assertExact } = await prepared(9);
    await Promise.all([refresh(), refresh(), refresh()]);
    await assertExact();
    await add(event({ event_id: "more", session_id: "m", user_id: "m", event_time: today - 5000 }));
    await Promise.all([refresh(), refresh()]);
    await assertExact();
  });

  it("other dimensions compute all days again, and rows that are deleted by hand are noticed with all", async () => {
    const { refresh, events, assertExact, sql } = await prepared(11);
    await refresh();
    assert.deepEqual(daysOf(await refresh({ dimensions: undefined })), [], "those of the last refresh");
    assert.equal(daysOf(await refresh({ dimensions: ["app", "country"] })).length, 3);
    await assertExact(["app", "country"]);
    const first = dateOf(today - 3 * 24 * HOUR);
    await sql(`DELETE FROM $.events WHERE event_date = DATE '${first}'`);
    events.splice(0, events.length, ...events.filter(({ event_time }) => dateOf(event_time) !== first));
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
    const definitions = { dimensions: DIMENSIONS, gapMs: GAP_MS, timeZone: "Asia/Kathmandu", countBots: true };
    const stored = await storedBreakdowns(fixture.bigquery, dataset);
    const expected = bruteForceBreakdowns(events, definitions);
    assert.deepEqual(stored.days, expected.days);
    assert.deepEqual(stored.hours, expected.hours);
  });

  it("days of deleted rows keep their numbers, also when a late event touches them", async () => {
    const { dataset, refresh, add, events, assertExact, sql } = await prepared(15);
    await refresh();
    await setUpBigQuery(fixture.bigquery, { dataset, eventRetention: 2 });
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
    await sql("SELECT 1");
    assert.ok(events.length > 0);
    await assertExact();
  });

  it("readBreakdown and readHours return what brute force counts", async () => {
    const { dataset, events, refresh } = await prepared(17, settingsOf("Europe/Berlin", false));
    const range = { from: dateOf(today - 3 * 24 * HOUR), to: dateOf(today - 2 * 24 * HOUR) };
    const request = { dimension: "country", range, limit: 2 };
    const empty = await readBreakdown(fixture.bigquery, dataset, request);
    assert.deepEqual([empty.refreshedAt, empty.dimensions, empty.values], [null, [], []]);
    await refresh();
    const { days, hours } = bruteForceBreakdowns(events, { dimensions: DIMENSIONS, timeZone: "Europe/Berlin" });
    const ofDay = days.filter(({ date, dimension }) => date === range.from && dimension === "country");
    const one = await readBreakdown(fixture.bigquery, dataset, { ...request, range: { ...range, to: range.from } });
    const [, second] = ofDay;
    assert.deepEqual(one.dimensions, DIMENSIONS);
    assert.deepEqual(
      one.values,
      ofDay
        .slice(0, 2)
        .map(({ value, events: n, sessions, persons }) => ({
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
