import assert from "node:assert/strict";
import { DAY_MS } from "@eventlogger/events/day";
import { partitionDate } from "./partitionDate";

const NOW = Date.parse("2026-05-17T23:59:59.999Z");

describe("partitionDate", () => {
  it("partitionDate is the UTC day of the time, whatever the clock says within years", () => {
    for (const days of [-300, 0, 1, 1800]) {
      assert.equal(partitionDate(NOW, NOW + days * DAY_MS), "2026-05-17");
      assert.equal(partitionDate(NOW + 1, NOW + days * DAY_MS), "2026-05-18");
    }
  });

  it("partitionDate is today for a time whose day BigQuery may refuse", () => {
    const times = [0, Date.parse("2011-01-01"), NOW - 1801 * DAY_MS, NOW + 341 * DAY_MS, 8.64e15];
    for (const time of times) assert.equal(partitionDate(time, NOW), "2026-05-17");
  });
});
