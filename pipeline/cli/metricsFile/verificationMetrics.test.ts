import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import type { Verification } from "@eventlogger/gcp/bigquery/verify/verify";
import { metricsText } from "./metricsFile";
import { verificationMetrics } from "./verificationMetrics";

const EQUAL: Verification = {
  ...{ generation: 1, timeZone: "UTC", gapMs: 1_800_000, zoneDifferences: [], horizon: undefined, days: undefined },
  ...{ differences: [], equalDays: 3, notCheckable: undefined, mayLackLinks: false },
  retention: { differences: [], equalCohorts: 1, notCheckable: 0 },
  breakdowns: undefined,
  record: { exists: true, beganOn: "2026-05-01", recorded: 10, missing: [], uncovered: [] },
  ...{ deadLetters: [], bytesScanned: 4096, isEqual: true },
};

/** 17 May 2026, a Sunday, 22:30 UTC: already Monday in Berlin. */
const SUNDAY_EVENING = Date.UTC(2026, 4, 17, 22, 30);

/** The samples of a verification that began at a time and took 90 s. */
async function samples(found: Partial<Verification>, startedAt = SUNDAY_EVENING): Promise<Map<string, number>> {
  const metrics = verificationMetrics({ ...EQUAL, ...found }, { startedAt, endedAt: startedAt + 90_000 });
  const lines = (await metricsText(metrics, {})).split("\n").filter((line) => line && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const [, name = "", value] = /^eventlogger_verify_(.*) (\S+)$/.exec(line) ?? [];
      return [name, Number(value)] as const;
    }),
  );
}

const difference = (date: string): Verification["differences"][number] => ({
  ...{ date, number: "session_count", expected: 2, actual: 1 },
});

const missing = (date: string, events: number): Verification["record"]["missing"][number] => ({
  ...{ date, recorded: 9, missing: events, refused: 0, refusedIds: [], untracedHashes: [] },
});

describe("the metrics of verify", () => {
  it("are all in the table of docs/operations/monitoring.md, which has no others", () => {
    const page = readFileSync(join(repositoryRoot, "docs", "operations", "monitoring.md"), "utf8");
    const documented = [...page.matchAll(/^\| `(eventlogger_verify_\w+)` \|/gm)].map(([, name]) => name);
    const names = verificationMetrics(EQUAL, { startedAt: 0, endedAt: 0 }).map(({ name }) => name);
    assert.deepEqual(documented.sort(), names.sort());
  });

  it("are 0 for everything that is equal, with the time and the bytes of the verification", async () => {
    assert.deepEqual(
      [...(await samples({}))],
      [
        ["last_run_timestamp_seconds", (SUNDAY_EVENING + 90_000) / 1000],
        ["duration_seconds", 90],
        ["scanned_bytes", 4096],
        ["equal", 1],
        ['differences{numbers="days",days="ended"}', 0],
        ['differences{numbers="days",days="today"}', 0],
        ['differences{numbers="retention",days="ended"}', 0],
        ['differences{numbers="retention",days="today"}', 0],
        ['differences{numbers="breakdowns",days="ended"}', 0],
        ['differences{numbers="breakdowns",days="today"}', 0],
        ['missing_events{days="ended"}', 0],
        ['missing_events{days="today"}', 0],
        ["unexplained_dead_letters", 0],
      ],
    );
  });

  it("count differences of days that had ended apart from those of the day that goes on, in the time zone", async () => {
    const differences = [difference("2026-05-15"), difference("2026-05-17"), difference("2026-05-17")];
    const counts = async (timeZone: string): Promise<(number | undefined)[]> => {
      const found = await samples({ differences, timeZone, isEqual: false });
      return ["ended", "today"].map((days) => found.get(`differences{numbers="days",days="${days}"}`));
    };
    assert.deepEqual(await counts("UTC"), [1, 2]);
    assert.deepEqual(await counts("Europe/Berlin"), [3, 0]);
    assert.deepEqual(await counts("America/New_York"), [1, 2]);
  });

  it("count a difference of retention as ended when the week of the offset has ended", async () => {
    const cell = { weekOffset: 1, expected: 3, actual: 2 };
    const counts = async (startedAt: number): Promise<(number | undefined)[]> => {
      const differences = [
        { ...cell, cohortWeek: "2026-05-04" },
        { ...cell, cohortWeek: "2026-04-27" },
      ];
      const found = await samples({ retention: { differences, equalCohorts: 0, notCheckable: 0 } }, startedAt);
      return ["ended", "today"].map((days) => found.get(`differences{numbers="retention",days="${days}"}`));
    };
    assert.deepEqual(await counts(SUNDAY_EVENING), [1, 1]);
    assert.deepEqual(await counts(SUNDAY_EVENING + 2 * 3_600_000), [2, 0]);
  });

  it("count all differences of breakdowns, and those that are not listed as of ended days", async () => {
    const number = {
      hour: undefined,
      dimension: "country",
      value: "DE",
      number: "events",
      expected: 2,
      actual: 1,
    } as const;
    const breakdowns = {
      ...{ dimensions: ["country"], refreshedAt: "2026-05-17T22:00:00.000Z", equalDays: 0, pendingDays: [] },
      ...{ comparesPersons: true, differenceCount: 5 },
      differences: ["2026-05-16", "2026-05-17", "2026-05-17"].map((date) => ({ ...number, date })),
    };
    const found = await samples({ breakdowns, isEqual: false });
    assert.equal(found.get('differences{numbers="breakdowns",days="ended"}'), 3);
    assert.equal(found.get('differences{numbers="breakdowns",days="today"}'), 2);
  });

  it("count missing events by UTC days, whatever the time zone", async () => {
    const record = { ...EQUAL.record, missing: [missing("2026-05-17", 4), missing("2026-05-16", 2)] };
    const found = await samples({ record, timeZone: "Europe/Berlin", isEqual: false });
    assert.equal(found.get('missing_events{days="ended"}'), 2);
    assert.equal(found.get('missing_events{days="today"}'), 4);
    assert.equal(found.get("equal"), 0);
  });

  it("sum up unexplained dead letters, and have no bytes when BigQuery reports none", async () => {
    const group = { errorType: "invalid", kind: "message", count: 9, firstFailedAt: "", lastFailedAt: "" } as const;
    const deadLetters = [
      { ...group, unexplained: 2 },
      { ...group, unexplained: 5 },
    ];
    const found = await samples({ deadLetters, bytesScanned: undefined });
    assert.equal(found.get("unexplained_dead_letters"), 7);
    assert.ok(!found.has("scanned_bytes"));
  });

  it("treat the days of a time zone that only BigQuery knows as UTC days", async () => {
    const found = await samples({ differences: [difference("2026-05-16")], timeZone: "Mars/Olympus" });
    assert.equal(found.get('differences{numbers="days",days="ended"}'), 1);
  });
});
