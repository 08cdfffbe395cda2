import assert from "node:assert/strict";
import fc from "fast-check";
import {
  dayFromCalendar,
  dayFromDdMmYyyy,
  dayFromIso,
  dayOf,
  dayStart,
  dayToDdMmYyyy,
  dayToIso,
  parseDay,
  timeToIso,
} from "./day";

const LAST_DAY = 2_932_896; // 9999-12-31

describe("day", () => {
  it("an epoch day is the UTC date of a moment", () => {
    assert.equal(dayOf(0), 0);
    assert.equal(dayOf(86_399_999), 0);
    assert.equal(dayOf(86_400_000), 1);
    assert.equal(dayToIso(dayOf(Date.UTC(2024, 1, 29, 23, 59, 59, 999))), "2024-02-29");
  });

  it("every day of the years 1970 to 9999 survives writing and parsing in both notations", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LAST_DAY }), (day) => {
        assert.equal(dayFromIso(dayToIso(day)), day);
        assert.equal(dayFromDdMmYyyy(dayToDdMmYyyy(day)), day);
        assert.equal(parseDay(dayToIso(day)), day);
        assert.equal(parseDay(dayToDdMmYyyy(day)), day);
        assert.equal(dayOf(dayStart(day)), day);
        assert.equal(dayOf(dayStart(day) - 1), day - 1);
      }),
    );
    assert.equal(dayToDdMmYyyy(dayFromIso("2024-05-17") ?? 0), "17/05/2024");
  });

  it("timeToIso writes the same text as Date for every millisecond of the years 1970 to 9999", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: (LAST_DAY + 1) * 86_400_000 - 1 }), (time) => {
        assert.equal(timeToIso(time), new Date(time).toISOString());
      }),
    );
    for (const time of [0, 999, 1000, 59_999, 60_000, 3_599_999, 3_600_000, 86_399_999, 86_400_000]) {
      assert.equal(timeToIso(time), new Date(time).toISOString());
    }
  });

  it("dayFromCalendar agrees with Date for every day of four centuries", () => {
    const date = new Date(Date.UTC(1900, 0, 1));
    const first = date.getTime() / 86_400_000;
    for (let day = first; day < first + 146_097; day++) {
      const calendar = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()] as const;
      if (dayFromCalendar(...calendar) !== day) assert.fail(`${calendar.join("-")} is not ${day}`);
      date.setUTCDate(date.getUTCDate() + 1);
    }
  });

  it("parseDay returns undefined for dates that do not exist", () => {
    for (const text of [
      "2023-02-29",
      "1900-02-29",
      "2024-02-30",
      "2024-13-01",
      "2024-00-10",
      "2024-04-31",
      "2024-1-1",
    ]) {
      assert.equal(parseDay(text), undefined, text);
    }
    for (const text of ["31/04/2024", "29/02/2023", "00/01/2024", "1/1/2024", "2024/01/01", "", "17/05/24"]) {
      assert.equal(parseDay(text), undefined, text);
    }
    assert.equal(dayToIso(parseDay("29/02/2000") ?? 0), "2000-02-29");
    assert.equal(dayToIso(parseDay("0070-01-01") ?? 0), "0070-01-01");
  });
});
