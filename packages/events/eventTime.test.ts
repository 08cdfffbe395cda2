import assert from "node:assert/strict";
import fc from "fast-check";
import { parseEventTime } from "./eventTime";

const NOW = Date.UTC(2024, 4, 17, 12);
const msOf = (value: number | string, receivedAt = NOW): number => {
  const parsed = parseEventTime(value, receivedAt);
  if ("problem" in parsed) assert.fail(`${value} ${parsed.problem}`);
  return parsed.ms;
};
const problemOf = (value: number | string, receivedAt = NOW): string => {
  const parsed = parseEventTime(value, receivedAt);
  return "problem" in parsed ? parsed.problem : assert.fail(`${value} was read as ${parsed.ms}`);
};

describe("parseEventTime", () => {
  it("parseEventTime reads epoch seconds and cuts the fraction off after milliseconds", () => {
    assert.equal(msOf(1_715_934_600), 1_715_934_600_000);
    assert.equal(msOf(1_715_934_600.1234), 1_715_934_600_123);
    assert.equal(msOf(1_715_934_600.9996), 1_715_934_600_999);
    assert.equal(msOf(1e-7), 0);
    assert.equal(msOf(0.0015), 1);
    assert.equal(msOf(0), 0);
    assert.ok(Object.is(msOf(-0), 0));
    assert.equal(msOf(0.25), 250);
  });

  it("parseEventTime reads numbers from 1e11 on as epoch milliseconds", () => {
    assert.equal(msOf(1e11), 1e11);
    assert.equal(msOf(1_715_934_600_250), 1_715_934_600_250);
    assert.equal(msOf(1_715_934_600_250.5), 1_715_934_600_250);
    // One less is seconds, in the year 5138.
    assert.match(problemOf(1e11 - 1), /future/);
    assert.equal(msOf(1e11 - 1, (1e11 - 1) * 1000), (1e11 - 1) * 1000);
  });

  it("parseEventTime never moves a time before midnight to the next day", () => {
    const end = Date.UTC(2009, 2, 13, 23, 59, 59, 999);
    for (const time of [1236988799.9996, 1236988799999.6, "1236988799.9999999", "1236988799999.9"]) {
      assert.equal(msOf(time), end, String(time));
    }
    for (const text of ["2009-03-13T23:59:59.9996Z", "2009-03-14T01:59:59.9999999+02:00"])
      assert.equal(msOf(text), end);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: NOW }), fc.integer({ min: 0, max: 99 }), (ms, more) => {
        const [seconds, fraction] = [
          Math.floor(ms / 1000),
          `${1000 + (ms % 1000)}${100 + more}`.replace(/^1(...)1/, "$1"),
        ];
        assert.equal(msOf(Number(`${seconds}.${fraction}`)), ms);
        assert.equal(msOf(`${String(seconds).padStart(9, "0")}.${fraction}`), ms);
      }),
    );
  });

  it("parseEventTime reads numeric text as the number", () => {
    assert.equal(msOf("1715934600"), 1_715_934_600_000);
    assert.equal(msOf("1715934600.25"), 1_715_934_600_250);
    assert.equal(msOf("1715934600250"), 1_715_934_600_250);
    assert.match(problemOf("9".repeat(400)), /finite/);
  });

  it("parseEventTime keeps every millisecond that is written as fractional seconds", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: NOW }), (ms) => {
        assert.equal(msOf(ms / 1000), ms);
      }),
    );
  });

  it("parseEventTime reads ISO 8601", () => {
    const moment = Date.UTC(2024, 4, 17, 8, 30, 0, 250);
    for (const text of [
      "2024-05-17T08:30:00.250Z",
      "2024-05-17t08:30:00.25z",
      "2024-05-17 08:30:00,2500Z",
      "2024-05-17T10:30:00.250+02:00",
      "2024-05-17T10:30:00.250+0200",
      "2024-05-17T10:30:00.250+02",
      "2024-05-16T23:00:00.250-09:30",
    ]) {
      assert.equal(msOf(text), moment, text);
    }
    assert.equal(msOf("2024-05-17T08:30Z"), Date.UTC(2024, 4, 17, 8, 30));
    assert.equal(msOf("2024-05-17T08:30:00.0005Z"), Date.UTC(2024, 4, 17, 8, 30));
    assert.equal(msOf("2023-12-31T23:59:59.99951Z"), Date.UTC(2024, 0, 1) - 1);
    assert.equal(msOf("1969-12-31T23:30:00-00:30"), 0);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: NOW }), (ms) => {
        assert.equal(msOf(new Date(ms).toISOString()), ms);
      }),
    );
  });

  it("parseEventTime reads a time without a zone and a date alone as UTC in any time zone of the machine", () => {
    const zone = process.env.TZ;
    try {
      process.env.TZ = "America/Los_Angeles";
      assert.notEqual(Date.parse("2024-05-17T08:30:00"), Date.UTC(2024, 4, 17, 8, 30), "the zone has an effect");
      assert.equal(msOf("2024-05-17T08:30:00"), Date.UTC(2024, 4, 17, 8, 30));
      assert.equal(msOf("2024-05-17"), Date.UTC(2024, 4, 17));
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
  });

  it("parseEventTime rejects dates and times that do not exist", () => {
    assert.match(problemOf("2023-02-29"), /^is not a calendar date: 2023-02-29$/);
    assert.match(problemOf("2024-02-30T00:00:00Z"), /not a calendar date: 2024-02-30/);
    assert.match(problemOf("2024-01-01T24:00:00Z"), /^is not a time of day \(00:00:00 to 23:59:59\): 24:00:00$/);
    assert.match(problemOf("2024-01-01T10:60:00Z"), /not a time of day .*: 10:60:00$/);
    assert.match(problemOf("2024-01-01T10:00:60Z"), /not a time of day .*: 10:00:60$/);
    assert.match(problemOf("2024-01-01T10:00:00+24:00"), /zone offset/);
  });

  it("parseEventTime rejects text that is not ISO 8601", () => {
    for (const text of [
      "",
      "yesterday",
      "12345678",
      "20240517",
      "-1715934600",
      "1715934600.",
      "0x1715934600",
      "17/05/2024",
      "2024-5-17",
      "20240517T083000Z",
      " 2024-05-17",
    ]) {
      assert.match(problemOf(text), /ISO 8601/, text);
    }
    assert.match(problemOf("2024-05-17T08:30:00Zjunk"), /ISO 8601/);
    assert.match(problemOf("2024-05-17\n"), /ISO 8601/);
    assert.match(problemOf("2024-05-17T08:30:00." + "1".repeat(100_000)), /ISO 8601/);
  });

  it("parseEventTime rejects times that are not finite, before 1970, or more than 24 hours ahead", () => {
    for (const value of [NaN, Infinity, -Infinity]) assert.match(problemOf(value), /finite/);
    for (const value of [-1, -0.001, "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00+01:00", "0099-01-01"]) {
      assert.match(problemOf(value), /before 1970/);
    }
    assert.equal(msOf(NOW + 86_400_000), NOW + 86_400_000);
    assert.match(problemOf(NOW + 86_400_001), /24 hours in the future/);
    assert.match(problemOf("9999-12-31"), /24 hours in the future/);
    assert.match(problemOf(1e300), /24 hours in the future/);
    assert.match(problemOf(Number.MAX_VALUE), /24 hours in the future|finite/);
  });
});
