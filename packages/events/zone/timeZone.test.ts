import assert from "node:assert/strict";
import fc from "fast-check";
import { DAY_MS, dayFromIso, dayOf, dayToIso } from "../day";
import { TimeZone, UnknownTimeZoneError } from "./timeZone";

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** Zones with daylight saving time in both hemispheres, changes at midnight, and offsets that are no whole hours. */
const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/Sao_Paulo",
  "America/St_Johns",
  "Australia/Lord_Howe",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Asia/Beirut",
  "Asia/Gaza",
  "Asia/Tehran",
  "Africa/Cairo",
  "Africa/Casablanca",
  "Pacific/Apia",
  "Pacific/Chatham",
  "Etc/GMT+12",
] as const;

/** The local date that Intl writes, by which the zone's own table is checked: it reads offsets, never dates. */
class CalendarDates {
  private readonly format: Intl.DateTimeFormat;

  constructor(timeZone: string) {
    this.format = new Intl.DateTimeFormat("en-US", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  }

  dayOf(epochMs: number): number {
    const [month, day, year] = this.format.format(epochMs).split("/");
    return dayFromIso(`${year}-${month}-${day}`) ?? assert.fail(this.format.format(epochMs));
  }
}

const dates = new Map(ZONES.map((name) => [name, new CalendarDates(name)]));
const oracle = (name: (typeof ZONES)[number]): CalendarDates => dates.get(name) ?? assert.fail(name);

/** Moments at which the offset changes, found hour by hour; from 2009 to 2038. */
function changesOf(zone: TimeZone): number[] {
  const changes: number[] = [];
  for (let at = Date.UTC(2009, 0, 1); at < Date.UTC(2038, 0, 1); at += 30 * MINUTE) {
    if (zone.offsetAt(at) !== zone.offsetAt(at - 1)) changes.push(at);
  }
  return changes;
}

const zoneNames = fc.constantFrom(...ZONES);
const FIRST = Date.UTC(1970, 0, 1);
const LAST = Date.UTC(2100, 0, 1);

/** Times around changes, around UTC midnights, and anywhere. */
const timeOf = (name: string): fc.Arbitrary<number> => {
  const changes = changesOf(TimeZone.of(name));
  const anywhere = fc.integer({ min: FIRST, max: LAST });
  const near = (times: readonly number[]): fc.Arbitrary<number> =>
    fc.tuple(fc.constantFrom(...times), fc.integer({ min: -26 * HOUR, max: 26 * HOUR })).map(([at, by]) => at + by);
  const justNear = (times: readonly number[]): fc.Arbitrary<number> =>
    fc.tuple(fc.constantFrom(...times), fc.integer({ min: -2, max: 2 })).map(([at, by]) => at + by);
  const midnight = anywhere.map((ms) => TimeZone.of(name).startOfDay(dayOf(ms)));
  const times = [anywhere, midnight, midnight.map((ms) => ms - 1)];
  return changes.length ? fc.oneof(...times, near(changes), justNear(changes)) : fc.oneof(...times);
};
const timesByZone = new Map<string, fc.Arbitrary<number>>();
const zoneAndTime = zoneNames.chain((name) => {
  const times = timesByZone.get(name) ?? timeOf(name);
  timesByZone.set(name, times);
  return fc.tuple(fc.constant(name), times);
});

const iso = (text: string): number => dayFromIso(text) ?? assert.fail(text);

describe("time zone", () => {
  it("the day of a moment is the local date that Intl writes, in 16 zones, around changes of the offset and anywhere from 1970 to 2100", () => {
    fc.assert(
      fc.property(zoneAndTime, ([name, time]) => {
        assert.equal(dayToIso(TimeZone.of(name).dayOf(time)), dayToIso(oracle(name).dayOf(time)));
      }),
      { numRuns: 20_000 },
    );
  });

  it("the start of a day is the first moment whose local date is this day or a later one", () => {
    fc.assert(
      fc.property(zoneAndTime, ([name, time]) => {
        const zone = TimeZone.of(name);
        const day = zone.dayOf(time);
        const start = zone.startOfDay(day);
        assert.ok(start <= time, `${name} ${time}`);
        assert.equal(oracle(name).dayOf(start), day);
        assert.ok(oracle(name).dayOf(start - 1) < day);
      }),
      { numRuns: 5000 },
    );
  });

  it("the lengths of the days from one day to another sum up to the time between their starts", () => {
    fc.assert(
      fc.property(zoneAndTime, fc.integer({ min: 1, max: 5 }), ([name, time], days) => {
        const zone = TimeZone.of(name);
        const first = zone.dayOf(time);
        let sum = 0;
        for (let day = first; day < first + days; day++) sum += zone.lengthOfDay(day);
        const between = zone.startOfDay(first + days) - zone.startOfDay(first);
        // In St John's, clocks were set back at 00:01, by two hours in 1988: the first minute of a day came before the last hours of
        // the day before.
        const beforeTurn = name === "America/St_Johns" ? 2 * HOUR : 0;
        assert.ok(Math.abs(sum - between) <= beforeTurn, `${name} ${dayToIso(first)}: ${sum} and ${between}`);
      }),
      { numRuns: 5000 },
    );
  });

  it("UTC days are the days of packages/events/day", () => {
    fc.assert(
      fc.property(fc.integer({ min: -8.64e15, max: 8.64e15 }), (time) => {
        assert.equal(TimeZone.UTC.dayOf(time), dayOf(time));
        assert.equal(TimeZone.UTC.startOfDay(dayOf(time)), dayOf(time) * DAY_MS);
        assert.equal(TimeZone.UTC.lengthOfDay(dayOf(time)), DAY_MS);
      }),
    );
  });

  /** Zone, day, its length in hours, and the UTC time of its start; from the tz database. */
  const DAYS: readonly (readonly [zone: string, day: string, hours: number, start: string])[] = [
    ["Europe/Berlin", "2026-03-29", 23, "2026-03-28T23:00:00.000Z"],
    ["Europe/Berlin", "2026-10-25", 25, "2026-10-24T22:00:00.000Z"],
    ["America/New_York", "2026-03-08", 23, "2026-03-08T05:00:00.000Z"],
    ["America/New_York", "2026-11-01", 25, "2026-11-01T04:00:00.000Z"],
    ["Australia/Lord_Howe", "2026-04-05", 24.5, "2026-04-04T13:00:00.000Z"],
    ["Australia/Lord_Howe", "2026-10-04", 23.5, "2026-10-03T13:30:00.000Z"],
    ["Asia/Kolkata", "2026-03-29", 24, "2026-03-28T18:30:00.000Z"],
    ["Asia/Kathmandu", "2026-03-29", 24, "2026-03-28T18:15:00.000Z"],
    // The clock went from 00:00 to 01:00: the day had no midnight.
    ["America/Sao_Paulo", "2018-11-04", 23, "2018-11-04T03:00:00.000Z"],
    ["Asia/Beirut", "2022-03-27", 23, "2022-03-26T22:00:00.000Z"],
    ["Africa/Cairo", "2023-04-28", 23, "2023-04-27T22:00:00.000Z"],
    ["Asia/Tehran", "2022-03-22", 23, "2022-03-21T20:30:00.000Z"],
    // The clock went from 24:00 back to 23:00.
    ["America/Sao_Paulo", "2019-02-16", 25, "2019-02-16T02:00:00.000Z"],
    ["Africa/Cairo", "2023-10-26", 25, "2023-10-25T21:00:00.000Z"],
    // Daylight saving time was interrupted for Ramadan.
    ["Africa/Cairo", "2014-06-26", 25, "2014-06-25T21:00:00.000Z"],
    ["Africa/Cairo", "2014-08-01", 23, "2014-07-31T22:00:00.000Z"],
    // The date line moved: the day did not exist, and the next one began when it would have.
    ["Pacific/Apia", "2011-12-29", 24, "2011-12-29T10:00:00.000Z"],
    ["Pacific/Apia", "2011-12-30", 0, "2011-12-30T10:00:00.000Z"],
    ["Pacific/Apia", "2011-12-31", 24, "2011-12-30T10:00:00.000Z"],
    // The clock went from 00:01 back to 23:01 of the day before.
    ["America/St_Johns", "2010-11-06", 24 + 59 / 60, "2010-11-06T02:30:00.000Z"],
    ["America/St_Johns", "2010-11-07", 24 + 1 / 60, "2010-11-07T02:30:00.000Z"],
    // Local mean time: seconds.
    ["Asia/Kolkata", "1800-01-01", 24, "1799-12-31T18:06:32.000Z"],
  ];

  it("days have the lengths and starts of the tz database: 23 to 25 hours, half hours, changes at midnight, and a day that did not exist", () => {
    for (const [name, day, hours, start] of DAYS) {
      const zone = TimeZone.of(name);
      assert.equal(new Date(zone.startOfDay(iso(day))).toISOString(), start, `${name} ${day}`);
      assert.equal(zone.lengthOfDay(iso(day)) / HOUR, hours, `${name} ${day}`);
    }
  });

  it("any number is answered, also far beyond the dates of the calendar", () => {
    const zone = TimeZone.of("Europe/Berlin");
    assert.equal(zone.dayOf(-8.64e15), -100_000_000);
    assert.equal(zone.dayOf(8.64e15), 100_000_000);
    assert.ok(Number.isNaN(zone.dayOf(NaN)));
    assert.equal(zone.dayOf(0), 0);
  });

  it("a zone has the name that was given", () => {
    for (const name of [
      "UTC",
      "Etc/UTC",
      "Europe/Berlin",
      "Asia/Kolkata",
      "Asia/Calcutta",
      "US/Eastern",
      "Etc/GMT+5",
      "Australia/NSW",
    ]) {
      assert.equal(TimeZone.of(name).name, name);
      assert.equal(TimeZone.of(name), TimeZone.of(name));
    }
  });

  it("a text that is no IANA name is an error that names the expected form", () => {
    assert.throws(() => TimeZone.of("Mars/Olympus"), UnknownTimeZoneError);
    assert.throws(() => TimeZone.of("+02:00"), {
      message: 'The time zone "+02:00" must be an IANA time zone such as Europe/Berlin, or UTC',
    });
  });
});
