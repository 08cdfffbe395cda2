import assert from "node:assert/strict";
import { dayFromIso, dayToIso } from "@eventlogger/events/day";
import { completeDays, periodBefore, periodOf, PRESETS, type Days, type Preset } from "./period";
import { dayIn, zoneOf } from "./today";

const day = (iso: string): number => dayFromIso(iso) ?? assert.fail(iso);
const text = ({ from, to }: Days): string => `${dayToIso(from)} ${dayToIso(to)}`;
const TODAY = day("2026-05-17");

describe("the period of a range", () => {
  it("presets end today or yesterday and have the days of their name", () => {
    const periods = (Object.keys(PRESETS) as Preset[]).map(
      (preset) => `${preset} ${text(periodOf({ preset }, TODAY))}`,
    );
    assert.deepEqual(periods, [
      "today 2026-05-17 2026-05-17",
      "yesterday 2026-05-16 2026-05-16",
      "7d 2026-05-11 2026-05-17",
      "30d 2026-04-18 2026-05-17",
      "90d 2026-02-17 2026-05-17",
      "365d 2025-05-18 2026-05-17",
      "1000d 2023-08-22 2026-05-17",
    ]);
  });

  it("the period before has as many days and ends the day before", () => {
    assert.equal(text(periodBefore({ from: day("2026-03-01"), to: day("2026-03-31") })), "2026-01-29 2026-02-28");
    assert.equal(text(periodBefore({ from: TODAY, to: TODAY })), "2026-05-16 2026-05-16");
  });

  it("the complete days of a period are those before today", () => {
    const complete = (from: string, to: string): string | undefined => {
      const days = completeDays({ from: day(from), to: day(to) }, TODAY);
      return days && text(days);
    };
    assert.equal(complete("2026-05-10", "2026-05-17"), "2026-05-10 2026-05-16");
    assert.equal(complete("2026-05-10", "2026-05-12"), "2026-05-10 2026-05-12");
    assert.equal(complete("2026-05-17", "2026-05-20"), undefined);
  });

  it("today is the date in the zone of the numbers, and UTC where the browser does not know the zone", () => {
    const moment = "2026-05-17T22:30:00.000Z";
    assert.equal(dayToIso(dayIn(zoneOf("Europe/Berlin"), moment)), "2026-05-18");
    assert.equal(dayToIso(dayIn(zoneOf("America/New_York"), moment)), "2026-05-17");
    for (const name of [null, undefined, "Mars/Olympus"])
      assert.equal(dayToIso(dayIn(zoneOf(name), moment)), "2026-05-17");
  });
});
