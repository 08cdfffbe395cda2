import assert from "node:assert/strict";
import { isSameTimeZone, timeZoneProblem } from "./zoneName";

describe("names of time zones", () => {
  it("every primary name and every name with a region is accepted", () => {
    for (const name of [...Intl.supportedValuesOf("timeZone"), "UTC", "Asia/Kolkata", "Europe/Kyiv", "Etc/GMT-14"]) {
      assert.equal(timeZoneProblem(name), undefined, name);
    }
  });

  it("a name in another case is refused with the name that it must be, because BigQuery tells them apart", () => {
    assert.equal(timeZoneProblem("europe/berlin"), "must be written as Europe/Berlin");
    assert.equal(timeZoneProblem("utc"), "must be written as UTC");
    assert.match(timeZoneProblem("asia/kolkata") ?? "", /^must be an IANA time zone such as Europe\/Berlin/);
    assert.match(timeZoneProblem("Asia/KOLKATA") ?? "", /^must be an IANA time zone such as Europe\/Berlin/);
  });

  it("abbreviations, offsets, and texts that are no names are refused with the form of a name", () => {
    for (const name of [
      "PST",
      "EST5EDT",
      "GMT",
      "+02:00",
      "-5",
      "",
      " ",
      "Europe/",
      "/Berlin",
      "Berlin",
      "Europe/Berlin ",
      "SystemV/PST8PDT",
    ]) {
      assert.equal(timeZoneProblem(name), "must be an IANA time zone such as Europe/Berlin, or UTC", name);
    }
  });

  it("a zone that this Node.js does not know is refused with the version of its time zone data", () => {
    assert.match(
      timeZoneProblem("Mars/Olympus") ?? "",
      /^is not in the time zone data of this Node\.js \(20\d\d[a-z]\); use an IANA/,
    );
  });

  it("two names of one zone are the same zone, and others are not", () => {
    assert.equal(isSameTimeZone("Asia/Kolkata", "Asia/Calcutta"), true);
    assert.equal(isSameTimeZone("Etc/UTC", "UTC"), true);
    assert.equal(isSameTimeZone("Europe/Berlin", "Europe/Paris"), false);
    assert.equal(isSameTimeZone("Mars/Olympus", "Mars/Base"), false);
    assert.equal(isSameTimeZone("Mars/Olympus", "Mars/Olympus"), true);
  });
});
