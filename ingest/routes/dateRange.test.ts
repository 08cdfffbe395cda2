import assert from "node:assert/strict";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import type { DayRange } from "@eventlogger/gcp/bigquery/dailyRollups";
import { parseDateRange } from "./dateRange";
import { RequestError } from "../http/errors";

const NOW = Date.UTC(2024, 4, 17, 23, 59);
const parse = (query: string, zone = "UTC"): DayRange =>
  parseDateRange(new URLSearchParams(query), NOW).inZone(TimeZone.of(zone));

describe("parseDateRange", () => {
  it("parseDateRange accepts both date formats and defaults to the last 90 days, and tomorrow", () => {
    assert.deepEqual(parse(""), { from: "2024-02-18", to: "2024-05-18" });
    assert.deepEqual(parse("from=2024-02-29"), { from: "2024-02-29", to: "2024-05-18" });
    assert.deepEqual(parse("from=2025-02-28"), { from: "2025-02-28", to: "2025-02-28" });
    assert.deepEqual(parse("to=2020-03-30"), { from: "2020-01-01", to: "2020-03-30" });
    assert.deepEqual(parse("from=2020-01-01&to=2022-09-26"), { from: "2020-01-01", to: "2022-09-26" });
    assert.deepEqual(parse("to=0000-12-31"), { from: "0001-01-01", to: "0001-01-01" });
    assert.deepEqual(parse("to=0001-01-01"), { from: "0001-01-01", to: "0001-01-01" });
    assert.deepEqual(parse("from=01/02/2024&to=2024-03-01"), { from: "2024-02-01", to: "2024-03-01" });
    assert.deepEqual(parse("from=2024-02-01&to=01/02/2024"), { from: "2024-02-01", to: "2024-02-01" });
  });

  it("parseDateRange without to ends tomorrow in the time zone of the numbers, and reads enough days for every zone", () => {
    assert.deepEqual(parse("", "Pacific/Kiritimati"), { from: "2024-02-19", to: "2024-05-19" });
    assert.deepEqual(parse("", "America/New_York"), { from: "2024-02-18", to: "2024-05-18" });
    assert.deepEqual(parse("from=2024-05-01", "Asia/Tokyo"), { from: "2024-05-01", to: "2024-05-19" });
    assert.deepEqual(parse("to=2024-05-17", "Asia/Tokyo"), { from: "2024-02-18", to: "2024-05-17" });
    const widest = (query: string): DayRange => parseDateRange(new URLSearchParams(query), NOW).widest;
    assert.deepEqual(widest(""), { from: "2024-02-17", to: "2024-05-19" });
    assert.deepEqual(widest("from=2024-05-01"), { from: "2024-05-01", to: "2024-05-19" });
    assert.deepEqual(widest("to=2024-05-17"), { from: "2024-02-18", to: "2024-05-17" });
  });

  const bad: [string, string][] = [
    ["from=yesterday", "from"],
    ["to=2023-02-29", "to"],
    ["to=31/04/2024", "to"],
    ["from=", "from"],
    ["from=2024-2-1", "from"],
    ["to=2024-01-01T00:00:00Z", "to"],
    ["from=2024-01-01&from=2024-01-02", "from"],
    ["from=2024-01-02&to=2024-01-01", "from"],
    ["from=2020-01-01&to=2022-09-27", "from"],
    ["from=2020-01-01", "from"],
    ["form=2024-01-01", "form"],
    ["From=2024-01-01", "From"],
    ["from=2024-01-01&_=1", "_"],
    ["=1", '""'],
  ];
  for (const [query, field] of bad) {
    it(`parseDateRange refuses ${query} and names ${field}`, () => {
      assert.throws(
        () => parse(query),
        (error) => error instanceof RequestError && error.status === 400 && error.errors[0]?.field === field,
      );
    });
  }
});
