import assert from "node:assert/strict";
import fc from "fast-check";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import type { Breakdown } from "@eventlogger/gcp/bigquery/breakdowns/breakdown";
import type { DailyRollup, DailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import { alignedLines, charactersOf, widthOf } from "../textTable";
import { breakdownReport } from "./breakdownReport";
import { bar, sparkline } from "./charts";
import { dailyReport } from "./dailyReport";
import { markdownLines } from "./markdown";
import { daysOf, reportRange } from "./reportDays";

const plain = { bold: (text: string) => text, dim: (text: string) => text };
const DEFINITIONS = { generation: 2, timeZone: "Europe/Berlin", sessionGapMs: 1_800_000 };

const day = (date: string, active: number, seconds = 0): DailyRollup => ({
  ...{
    date,
    active_user_count: active,
    new_user_count: 1,
    session_count: active * 1000,
    session_duration_ms: seconds * 1000 * active * 1000,
    total_users: 9,
    wau: 8,
    mau: 9,
  },
  ...{ average_session_duration_sec: seconds, average_session_duration_min: 0, anonymous_user_count: 0 },
  ...{ bot_user_count: 0, bot_session_count: 0, updated_at: "2026-05-03T10:00:00.000Z" },
});
const ROLLUPS: DailyRollups = {
  total_users: 1234,
  days: [day("2026-05-01", 4, 59), day("2026-05-03", 8, 3725)],
  definitions: DEFINITIONS,
  watermark: "2026-05-03T09:59:30.250Z",
};
const RANGE = { from: "2026-05-01", to: "2026-05-03" };
const AS_OF = new Date("2026-05-03T10:00:01.500Z");

const BREAKDOWN: Breakdown = {
  ...{ definitions: DEFINITIONS, refreshedAt: "2026-05-03T09:00:00.000Z", dimensions: ["page"], dimension: "page" },
  range: RANGE,
  totals: { events: 200, sessions: 50, person_days: 20, persons: null },
  values: [
    { value: "/", events: 100, sessions: 40, person_days: 19, persons: null },
    { value: "/\u001b[31mred", events: 50, sessions: 10, person_days: 5, persons: null },
  ],
  other: { value_count: 1200, events: 50, sessions: null, person_days: null, persons: null },
};

describe("eventlogger report", () => {
  it("the report of days has charts of all days of the range, and a row for each day with events", () => {
    assert.deepEqual(dailyReport(ROLLUPS, RANGE, AS_OF, plain).lines(80), [
      "2026-05-01 to 2026-05-03  days of Europe/Berlin, generation 2",
      "",
      "active    ▅▁█  highest 8",
      "new       █▁█  highest 1",
      "sessions  ▅▁█  highest 8,000",
      "",
      "date        active  new  7 days  30 days  anonymous  sessions    average",
      "2026-05-01       4    1       8        9          0     4,000       59 s",
      "2026-05-03       8    1       8        9          0     8,000  1 h 2 min",
      "",
      "1,234 persons in all.",
      "Read at 2026-05-03T10:00:01Z. All events that were published until 2026-05-03T09:59:30Z are counted.",
    ]);
  });

  it("the report of days shows the newest days that fit on the terminal, and works without any numbers", () => {
    const range = { from: "2025-01-01", to: "2026-05-03" };
    for (const width of [20, 40, 80]) {
      const charts = dailyReport(ROLLUPS, range, AS_OF, plain).lines(width).slice(2, 5);
      for (const line of charts) assert.ok(widthOf(line) <= Math.max(width, 26), line);
      assert.match(charts[0] ?? "", /█ {2}highest 8$/);
    }
    const empty = { ...ROLLUPS, total_users: 0, days: [], watermark: null };
    const lines = dailyReport(empty, RANGE, AS_OF, plain).lines(80);
    assert.equal(lines[2], "active    ▁▁▁  highest 0");
    assert.equal(lines.at(-1), "Read at 2026-05-03T10:00:01Z.");
  });

  it("the report of a dimension has the share of each value, a bar for it, and the others in one row", () => {
    assert.deepEqual(breakdownReport(BREAKDOWN, plain).lines(80), [
      "page, 2026-05-01 to 2026-05-03  days of Europe/Berlin, generation 2",
      "",
      "page                   events   share  sessions  person days",
      `/                         100  50.0 %        40           19  ${"█".repeat(18)}`,
      `/\\u001b[31mred             50  25.0 %        10            5  ${"█".repeat(9)}`,
      `(other): 1,200 values      50  25.0 %         -            -  ${"█".repeat(9)}`,
      "",
      "200 events, 50 sessions and 20 person days in all.",
      "Refreshed at 2026-05-03T09:00:00Z.",
    ]);
    const oneDay = { ...BREAKDOWN, range: { from: "2026-05-01", to: "2026-05-01" } };
    const narrow = breakdownReport(oneDay, plain).lines(60);
    assert.equal(narrow[0], "page, 2026-05-01  days of Europe/Berlin, generation 2");
    assert.equal(narrow[2], "page                   events   share  sessions  persons");
    assert.doesNotMatch(narrow.join(), /█/);
  });

  it("a table in Markdown has columns of numbers on the right, and escapes what has a meaning there", () => {
    const rows = [
      ["a|b", 1, null],
      ["`<x>` *_\n", 20, 2.5],
    ];
    assert.deepEqual(markdownLines({ columns: ["value", "events", "person_days"], rows }), [
      "| value | events | person\\_days |",
      "| --- | ---: | ---: |",
      "| a\\|b | 1 |  |",
      "| \\`\\<x>\\` \\*\\_\\\\u000a | 20 | 2.5 |",
    ]);
    assert.deepEqual(markdownLines({ columns: ["a"], rows: [] }), ["| a |", "| --- |"]);
  });

  it("a range without an end ends today in the zone of the numbers, and has 30 days without a beginning", () => {
    const now = Date.UTC(2026, 4, 17, 23, 30);
    const range = (given: { from?: string; to?: string }, zone = "UTC"): string => {
      const { from, to } = reportRange(given, TimeZone.of(zone), now);
      return `${from} ${to}`;
    };
    assert.equal(range({}), "2026-04-18 2026-05-17");
    assert.equal(range({}, "Europe/Berlin"), "2026-04-19 2026-05-18");
    assert.equal(range({ to: "2026-01-01" }), "2025-12-03 2026-01-01");
    assert.equal(range({ from: "2026-05-01" }, "Europe/Berlin"), "2026-05-01 2026-05-18");
    assert.equal(range({ from: "2027-01-01" }), "2027-01-01 2027-01-01");
    assert.deepEqual(daysOf({ from: "2026-02-27", to: "2026-03-01" }), ["2026-02-27", "2026-02-28", "2026-03-01"]);
  });

  it("the characters of a chart rise with the values, and the largest value has the highest one", () => {
    assert.equal(sparkline([]), "");
    assert.equal(sparkline([0, 0]), "▁▁");
    assert.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8]), "▁▂▃▄▅▆▇██");
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1 }), (values) => {
        const levels = charactersOf(sparkline(values)).map((character) => character.charCodeAt(0));
        assert.equal(levels.length, values.length);
        values.forEach((value, i) =>
          values.forEach((other, j) => assert.ok(value <= other ? (levels[i] ?? 0) <= (levels[j] ?? 0) : true)),
        );
      }),
    );
  });

  it("the length of a bar is the share, to an eighth of a character", () => {
    assert.deepEqual(
      [0, 0.5, 1, 1.5, -1, 1 / 16, 0.77].map((share) => bar(share, 4)),
      ["", "██", "████", "████", "", "▎", "███▏"],
    );
  });

  it("columns of text are as wide as their longest text, whatever characters it has", () => {
    assert.deepEqual(alignedLines([["a", "b"], ["über👍🏽", "10"], ["x"]], ["left", "right"]), [
      "a       b",
      "über👍🏽  10",
      "x",
    ]);
    assert.deepEqual(alignedLines([]), []);
  });
});
