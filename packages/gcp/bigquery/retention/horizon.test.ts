import assert from "node:assert/strict";
import { dayFromIso, dayStart, DAY_MS } from "@eventlogger/events/day";
import { parseEventTime } from "@eventlogger/events/eventTime";
import { completeSince, eventRetention } from "./eventRetention";
import { horizonAt, horizonLines } from "./horizon";

const NOW = Date.parse("2026-05-31T12:00:00Z");

describe("the horizon of deleted events", () => {
  it("rows are complete from the day whose start is within the retention", () => {
    const since = (expirationMs: number | undefined, label?: string): string | undefined =>
      completeSince({ expirationMs, completeSince: label }, NOW);
    assert.equal(since(undefined), undefined);
    assert.equal(since(10 * DAY_MS), "2026-05-22");
    assert.equal(since(10.5 * DAY_MS), "2026-05-22");
    assert.equal(since(10.6 * DAY_MS), "2026-05-21");
    assert.equal(since(100_000 * DAY_MS), "1970-01-01");
    // A label of rows that were deleted by a shorter retention.
    assert.equal(since(10 * DAY_MS, "2026-05-25"), "2026-05-25");
    assert.equal(since(10 * DAY_MS, "2026-05-01"), "2026-05-22");
    assert.equal(since(undefined, "2026-05-01"), "2026-05-01");
  });

  it("the retention is read from the partitioning and a label, and other labels are ignored", () => {
    assert.deepEqual(eventRetention({}), { expirationMs: undefined, completeSince: undefined });
    const timePartitioning = { type: "DAY", field: "received_date", expirationMs: "86400000" };
    assert.deepEqual(eventRetention({ timePartitioning, labels: { eventlogger_complete_since: "2026-05-01" } }), {
      ...{ expirationMs: DAY_MS, completeSince: "2026-05-01" },
    });
    assert.equal(eventRetention({ labels: { eventlogger_complete_since: "soon" } }).completeSince, undefined);
  });

  it("the first complete day is the first one of which no event can be received before the horizon", () => {
    const received = dayFromIso("2026-05-10") as number;
    const lastDeleted = dayStart(received) - 1;
    const { firstCompleteDay } = horizonAt("2026-05-10");
    assert.equal(firstCompleteDay, "2026-05-11");
    const first = dayStart(dayFromIso(firstCompleteDay) as number);
    // The rule of the event's validation: an event is at most 24 hours ahead of its receipt.
    assert.ok("problem" in parseEventTime(first, lastDeleted));
    assert.deepEqual(parseEventTime(first - 1, lastDeleted), { ms: first - 1 });
  });

  it("the first complete day depends on where its time zone starts the day", () => {
    const at = (hours: number): string =>
      horizonAt("2026-05-10", (day) => dayStart(day) - hours * 3_600_000).firstCompleteDay;
    assert.deepEqual([-12, -1, 0, 1, 14].map(at), [
      "2026-05-11",
      "2026-05-11",
      "2026-05-11",
      "2026-05-12",
      "2026-05-12",
    ]);
  });

  it("horizonLines names the numbers that are exact after a rebuild, and those that are not", () => {
    const text = horizonLines(horizonAt("2026-05-10")).join("\n");
    assert.match(text, /^Rows received before 2026-05-10 have been deleted/);
    assert.match(text, /days before 2026-05-11: all numbers/);
    assert.match(text, /new_user_count can be too high/);
    assert.match(text, /total_users can be too low/);
    assert.match(text, /29 days from 2026-05-11 on: wau and mau can be too low/);
    assert.match(
      text,
      /Exact from 2026-05-11 on: session_count and average session durations, and active_user_count of days without anonymous ids$/,
    );
  });
});
