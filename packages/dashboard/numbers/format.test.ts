import assert from "node:assert/strict";
import { dayFromIso } from "@eventlogger/events/day";
import { Formats } from "./format";

const DAY = dayFromIso("2026-05-07") ?? 0;

describe("the formats of the dashboard", () => {
  it("dates are ISO, or as the language writes them", () => {
    const iso = new Formats("iso", "de-DE");
    assert.deepEqual([iso.day(DAY), iso.dayOfYear(DAY), iso.month(DAY)], ["2026-05-07", "05-07", "2026-05"]);
    assert.equal(iso.dayOfWeek(DAY), "Do 2026-05-07");
    const local = new Formats("local", "de-DE");
    assert.deepEqual([local.day(DAY), local.dayOfYear(DAY), local.month(DAY)], ["7. Mai 2026", "7. Mai", "Mai 2026"]);
    assert.equal(new Formats("local", "en-US").day(DAY), "May 7, 2026");
  });

  it("durations have their two largest units, and no number is a dash", () => {
    const formats = new Formats("iso", "en-GB");
    const texts = [0, 0.4, 59.6, 61, 3599.4, 3600, 93_784, null].map((sec) => formats.seconds(sec));
    assert.deepEqual(texts, ["0s", "0s", "1m 00s", "1m 01s", "59m 59s", "1h 00m", "26h 03m", "–"]);
    assert.equal(formats.count(null), "–");
  });

  it("changes have a sign, and times are those of the zone of the numbers", () => {
    const formats = new Formats("iso", "en-GB");
    assert.deepEqual(
      [0.25, -0.031, 0, 12].map((ratio) => formats.change(ratio)),
      ["+25.0%", "−3.1%", "+0.0%", "+1,200%"],
    );
    const now = "2026-05-17T12:00:00.000Z";
    assert.equal(formats.time("2026-05-17T09:05:07.000Z", "Europe/Berlin"), "11:05:07");
    assert.equal(formats.moment("2026-05-17T09:05:07.000Z", "Europe/Berlin", now), "11:05:07");
    assert.equal(formats.moment("2026-05-16T09:05:07.000Z", "Europe/Berlin", now), "2026-05-16 11:05:07");
  });
});
