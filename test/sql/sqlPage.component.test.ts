import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DAY_MS } from "@eventlogger/events/day";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { validateEvent } from "@eventlogger/events/validation";
import { refreshBreakdowns } from "@eventlogger/gcp/bigquery/breakdowns/refreshBreakdowns";
import { runQuery, type ResultRow } from "@eventlogger/gcp/bigquery/query";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { insertEvents } from "@eventlogger/pipeline/breakdowns/testing/breakdownRows";
import { dailyNumbers } from "@eventlogger/pipeline/rebuild/testing/dailyNumbers";
import { retentionRows, rollupRows } from "@eventlogger/pipeline/testing/expectedRows";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { bruteForceBreakdowns } from "@eventlogger/traffic/bruteForceBreakdowns";
import { bruteForceRetention } from "@eventlogger/traffic/bruteForceRetention";
import { isOfBot } from "@eventlogger/traffic/generator/bots";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";

const GAP_MS = 30 * 60_000;
/** The last moment of the days that the page asks for. */
const NOW = Date.UTC(2026, 4, 31, 23, 59, 59, 999);
const FIRST_DAY = "2026-05-01";

/** Rows of the table events, in the order of receipt: of 40 days, of users, anonymous ids and bots; some are repeated. */
function storedEvents(): AnalyticsEvent[] {
  const shares = { anonymousIdShare: 0.4, botShare: 0.1, duplicateShare: 0.1, oldShare: 0 };
  const traffic = [...generateTraffic({ count: 2500, now: NOW, days: 40, users: 120, ...shares })];
  return traffic.map((input, i) => {
    const result = validateEvent(input, NOW + i);
    assert(result.ok, "the event is valid");
    return { ...result.event, is_bot: isOfBot(result.event) };
  });
}

/** The query below each heading of the page, with the names of a dataset. */
function queriesOf(page: string, project: string, dataset: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const section of page.split(/^## /m).slice(1)) {
    const sql = /^```sql\n([^]*?)^```$/m.exec(section)?.[1];
    if (sql === undefined) continue;
    found.set(section.slice(0, section.indexOf("\n")), sql.replaceAll("my-project.analytics", `${project}.${dataset}`));
  }
  return found;
}

type Value = string | number | null;

const sum = (numbers: readonly number[]): number => numbers.reduce((all, n) => all + n, 0);
const round = (n: number, digits: number): number => Number(n.toFixed(digits));

/** Items by a key, in the order of the first of each. */
function grouped<T>(items: readonly T[], keyOf: (item: T) => string): [key: string, group: T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups];
}

const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const mondayOf = (date: string): string => {
  const monday = Date.parse("1970-01-05");
  return dateOf(monday + Math.floor((Date.parse(date) - monday) / (7 * DAY_MS)) * 7 * DAY_MS);
};
const mostFirst = (a: Value[], b: Value[]): number =>
  Number(b[1]) - Number(a[1]) || (String(a[0]) < String(b[0]) ? -1 : 1);

describe("the page about SQL", () => {
  const fixture = useBigQueryEmulator();
  const stored = storedEvents();
  const numbers = dailyNumbers(stored, GAP_MS);
  const retention = bruteForceRetention(stored);
  const breakdowns = bruteForceBreakdowns(stored, { dimensions: ["country"], gapMs: GAP_MS });
  const inMay = stored.filter((event) => dateOf(event.event_time) >= FIRST_DAY);
  const unique = [...new Map([...inMay].reverse().map((event) => [event.event_id, event])).values()].reverse();
  let queries: Map<string, string>;

  before(async () => {
    const dataset = await fixture.datasetWithGeneration();
    const tables = fixture.bigquery.dataset(dataset);
    await insertEvents(fixture.bigquery, dataset, stored);
    await tables.table("daily_rollup_versions").insert(rollupRows(numbers));
    await tables.table("weekly_retention_versions").insert(retentionRows(retention));
    await refreshBreakdowns(fixture.bigquery, { dataset, dimensions: ["country"] });
    const page = readFileSync(join(repositoryRoot, "docs", "sql.md"), "utf8");
    queries = queriesOf(page, fixture.project, dataset);
  });

  async function answer(heading: string, read: (row: ResultRow) => Value[]): Promise<Value[][]> {
    const sql = queries.get(heading) ?? assert.fail(`the page has no query below ${heading}`);
    return (await runQuery(fixture.bigquery, sql)).map(read);
  }

  it("has ten queries", () => {
    assert.equal(queries.size, 10, [...queries.keys()].join());
  });

  it("the query about each day gives the numbers of brute force", async () => {
    const columns = ["active_user_count", "new_user_count", "session_count", "wau", "mau", "stickiness"];
    const rows = await answer("How many people use the product each day?", (row) => [
      row.text("date"),
      ...columns.map((column) => row.number(column)),
    ]);
    const expected = [...numbers].filter(([date]) => date >= FIRST_DAY);
    assert.ok(expected.length >= 25);
    assert.deepEqual(
      rows,
      expected.map(([date, n]) => [
        ...[date, n.active_user_count, n.new_user_count, n.session_count, n.wau, n.mau],
        round(n.active_user_count / n.mau, 3),
      ]),
    );
  });

  it("the query about weeks adds up days, and has the persons of each week", async () => {
    const rows = await answer("How does a week compare with the one before?", (row) => [
      // BigQuery returns a date, the emulator midnight.
      ...[
        row.text("week").slice(0, 10),
        row.number("sessions"),
        row.number("new_persons"),
        row.numberOrNull("persons"),
      ],
      row.numberOrNull("sessions_change_percent"),
    ]);
    const days = [...numbers].filter(([date]) => date >= "2026-05-04");
    const weeks = grouped(days, ([date]) => mondayOf(date)).map(([week, ofWeek]): Value[] => [
      week,
      ofWeek.reduce((sum, [, n]) => sum + n.session_count, 0),
      ofWeek.reduce((sum, [, n]) => sum + n.new_user_count, 0),
      ofWeek.find(([date]) => new Date(date).getUTCDay() === 0)?.[1].wau ?? null,
    ]);
    assert.equal(weeks.length, 4);
    const change = (i: number): Value => {
      const [before, after] = [Number(weeks[i - 1]?.[1]), Number(weeks[i]?.[1])];
      return i === 0 ? null : round((100 * (after - before)) / before, 1);
    };
    assert.deepEqual(
      rows,
      weeks.map((week, i) => [...week, change(i)]),
    );
  });

  it("the query about persons who come back is the retention of brute force", async () => {
    const weeks = ["week_1", "week_2", "week_3", "week_4"];
    const rows = await answer("How many new people come back?", (row) => [
      ...[row.text("cohort_week"), row.number("persons")],
      ...weeks.map((week) => row.number(week)),
    ]);
    const cohorts = retention.cohorts.filter(({ week }) => week >= "2026-04-27");
    assert.equal(cohorts.length, 5);
    assert.deepEqual(
      rows,
      cohorts.map(({ week, size, retained }) => [week, size, ...weeks.map((_, i) => retained[i + 1] ?? 0)]),
    );
  });

  it("the query about countries adds up the breakdowns of brute force, with the share of all events", async () => {
    const rows = await answer("Which countries bring most events?", (row) => [
      ...[row.text("country"), row.number("events"), row.number("sessions"), row.number("person_days")],
      row.number("percent_of_events"),
    ]);
    const ofCountries = breakdowns.days.filter(({ dimension, date }) => dimension === "country" && date >= FIRST_DAY);
    const all = sum(ofCountries.map(({ events }) => events));
    const expected = grouped(ofCountries, ({ value }) => value).map(([country, days]): Value[] => {
      const events = sum(days.map((day) => day.events));
      return [
        ...[country, events, sum(days.map(({ sessions }) => sessions)), sum(days.map(({ persons }) => persons))],
        round((100 * events) / all, 1),
      ];
    });
    assert.equal(expected.length, 6);
    assert.deepEqual(rows, expected.sort(mostFirst));
  });

  it("the query about hours adds up the hours of brute force", async () => {
    const rows = await answer("At which hours is most traffic?", (row) => [
      ...[row.number("hour_of_day"), row.number("events"), row.number("most_persons_in_one_hour")],
    ]);
    const all = breakdowns.hours.filter(({ dimension, date }) => dimension === "(all)" && date >= FIRST_DAY);
    const expected = grouped(all, ({ hour }) => String(new Date(hour).getUTCHours())).map(([hour, ofHour]) => [
      ...[Number(hour), sum(ofHour.map(({ events }) => events)), Math.max(...ofHour.map(({ persons }) => persons))],
    ]);
    assert.ok(expected.length > 20);
    assert.deepEqual(
      rows,
      expected.sort(([a = 0], [b = 0]) => a - b),
    );
  });

  it("the query about users counts each event and each user once, without bots", async () => {
    const rows = await answer("How many users did each event?", (row) => [
      ...[row.text("event_name"), row.number("events"), row.number("users")],
    ]);
    const people = unique.filter((event) => !event.is_bot);
    assert.ok(people.length < unique.length && unique.length < inMay.length);
    const expected = grouped(people, (event) => event.event_name).map(([name, events]): Value[] => [
      ...[name, events.length, new Set(events.flatMap(({ user_id }) => user_id ?? [])).size],
    ]);
    assert.deepEqual(rows, expected.sort(mostFirst));
  });

  it("the query about a funnel counts users who take the steps one after the other, the last within seven days", async () => {
    const rows = await answer("How many users take every step of a funnel?", (row) => [
      ...[row.number("searched"), row.number("then_clicked"), row.number("then_added_to_cart")],
    ]);
    const counts = [0, 0, 0];
    for (const [user, events] of grouped(inMay, ({ user_id }) => user_id ?? "")) {
      if (user === "") continue;
      const first = (name: string, after: number, until = Infinity): number =>
        Math.min(
          ...events
            .filter((event) => event.event_name === name && event.event_time > after && event.event_time <= until)
            .map((event) => event.event_time),
        );
      const searched = first("search", -Infinity);
      const clicked = first("click", searched);
      const added = clicked === Infinity ? Infinity : first("add_to_cart", clicked, searched + 7 * DAY_MS);
      [searched, clicked, added].forEach((time, i) => (counts[i] = (counts[i] ?? 0) + (time < Infinity ? 1 : 0)));
    }
    assert.deepEqual(rows, [counts]);
    const [searched = 0, clicked = 0, added = 0] = counts;
    assert.ok(searched > clicked && clicked > added && added > 0, counts.join());
  });

  it("the query about a property adds it up over events that are counted once", async () => {
    const rows = await answer("What is a property worth, by another one?", (row) => [
      ...[row.text("plan"), row.number("events"), row.numberOrNull("price")],
    ]);
    const textOf = (value: unknown): string => (typeof value === "string" ? value : "(none)");
    const expected = grouped(unique, ({ properties }) => textOf(properties?.["plan"])).map(
      ([plan, events]): Value[] => {
        const prices = events.flatMap(({ properties }) => (properties ? [Number(properties["price"])] : []));
        return [
          plan,
          events.length,
          prices.length
            ? round(
                prices.reduce((a, b) => a + b, 0),
                2,
              )
            : null,
        ];
      },
    );
    assert.equal(expected.length, 4);
    assert.deepEqual(rows, expected.sort(mostFirst));
  });

  it("the query about the pages on which visits begin takes the first event of each session id and day", async () => {
    const rows = await answer("On which pages do visits begin?", (row) => [row.text("page"), row.number("visits")]);
    const visits = grouped(inMay, (event) => JSON.stringify([event.session_id, dateOf(event.event_time)]));
    const pages = visits.map(([, events]) => {
      const [first] = [...events].sort((a, b) => a.event_time - b.event_time || (a.event_id < b.event_id ? -1 : 1));
      return first?.page ?? "(none)";
    });
    const expected = grouped(pages, (page) => page).map(([page, all]): Value[] => [page, all.length]);
    assert.ok(expected.length > 3);
    assert.deepEqual(rows, expected.sort(mostFirst));
  });

  it("the query about one user has all events of the user and of the anonymous ids of the user, once each", async () => {
    const rows = await answer("What did one user do?", (row) => [
      ...[row.time("event_time"), row.text("event_name"), row.textOrNull("page")],
    ]);
    const user = "u-000001";
    const devices = new Set(
      stored.flatMap((e) => (e.user_id === user && e.anonymous_id !== null ? [e.anonymous_id] : [])),
    );
    const expected = unique.filter((event) => event.user_id === user || devices.has(event.anonymous_id ?? ""));
    assert.ok(expected.some((event) => event.user_id === null) && expected.length > 10, `${expected.length} events`);
    expected.sort((a, b) => a.event_time - b.event_time || (a.event_id < b.event_id ? -1 : 1));
    assert.deepEqual(
      rows,
      expected.map((event) => [new Date(event.event_time).toISOString(), event.event_name, event.page]),
    );
  });
});
