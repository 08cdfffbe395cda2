import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { event, rollupVersion } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { refreshBreakdowns } from "@eventlogger/gcp/bigquery/breakdowns/refreshBreakdowns";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { insertEvents } from "../breakdowns/testing/breakdownRows";
import { eventlogger, type CliRun } from "./testing/eventlogger";

const NOON = Date.parse("2026-05-02T12:00:00Z");
const RANGE = ["--from", "2026-05-01", "--to", "2026-05-03"];

describe("the command report", () => {
  const fixture = useBigQueryEmulator();
  let dataset: string;

  before(async () => {
    dataset = await fixture.datasetWithGeneration();
    const more = { new_user_count: 1, updated_at: "2026-05-02T13:00:00.250Z" };
    await fixture.bigquery
      .dataset(dataset)
      .table("daily_rollup_versions")
      .insert([
        rollupVersion({
          date: "2026-05-02",
          session_count: 2,
          session_duration_ms: 90_000,
          active_user_count: 2,
          ...more,
        }),
        rollupVersion({ date: "2026-05-04", session_count: 7, active_user_count: 5, ...more }),
      ]);
    const countries = ["DE", "FR", "DE", null, "=1+1", "DE", "FR"];
    const events = countries.map((country, i) =>
      event({ session_id: `s${i % 3}`, event_time: NOON + i, user_id: `u${i % 2}`, country }),
    );
    await insertEvents(fixture.bigquery, dataset, events);
  });

  const argumentsOf = (args: readonly string[], of = dataset): string[] => [
    ...["report", "--bigquery-endpoint", fixture.emulator.url, "--dataset", of, ...args],
  ];
  const report = (...args: string[]): Promise<CliRun> => eventlogger(argumentsOf(args));

  /** What the command prints on a terminal of 80 columns. */
  async function onTerminal(...args: string[]): Promise<string> {
    const bin = join(packageRootOf(__filename), "bin", "eventlogger.js");
    const command = [process.execPath, bin, ...argumentsOf(args)].map((part) => `'${part}'`).join(" ");
    const { stdout } = await promisify(execFile)("script", ["-qec", `stty cols 80; ${command}`, "/dev/null"]);
    // As the eye sees it: the progress of a slow step is erased from its line before the line is used.
    return stdout.replaceAll("\r\n", "\n").replace(/^.*\r\u001b\[K/gm, "");
  }

  it("before the first refresh, report --by fails and names the command that computes the values", async () => {
    const { code, stderr, stdout } = await report("--by", "country", ...RANGE);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /has no breakdowns yet\. `eventlogger refresh` computes them/);
    await refreshBreakdowns(fixture.bigquery, { dataset, dimensions: ["country"] });
  });

  it("a pipe gets the numbers of the days of the range and nothing else, in aligned columns", async () => {
    const { code, stdout } = await report(...RANGE);
    assert.equal(code, 0);
    const [headings, values, ...rest] = stdout.split("\n").map((line) => line.trim().split(/ {2,}/));
    assert.deepEqual(rest, [[""]]);
    assert.deepEqual(Object.fromEntries(headings?.map((name, i) => [name, values?.[i]]) ?? []), {
      ...{ date: "2026-05-02", average_session_duration_min: "0.75", average_session_duration_sec: "45" },
      ...{ active_user_count: "2", new_user_count: "1", session_count: "2", weekly_active_user_count: "0" },
      ...{ monthly_active_user_count: "0", anonymous_user_count: "0", bot_user_count: "0", bot_session_count: "0" },
      updated_at: "2026-05-02T13:00:00.250Z",
    });
  });

  it("--csv, --md and --json print the same numbers in their formats", async () => {
    const [csv, md, json] = await Promise.all([
      ...[report("--csv", ...RANGE), report("--md", ...RANGE), report("--json", ...RANGE)],
    ]);
    const row = "2026-05-02,0.75,45,2,1,2,0,0,0,0,0,2026-05-02T13:00:00.250Z";
    assert.equal(csv?.stdout.split("\r\n")[1], row);
    assert.equal(md?.stdout.split("\n")[2], `| ${row.replaceAll(",", " | ")} |`);
    const document = JSON.parse(json?.stdout ?? "") as Record<string, unknown>;
    assert.deepEqual(document, {
      ...{ from: "2026-05-01", to: "2026-05-03", total_users: 2, as_of: document["as_of"] },
      ...{ generation: 1, time_zone: "UTC", session_gap: 1800, watermark: null },
      daily_stats: [
        {
          ...{ date: "2026-05-02", average_session_duration_min: 0.75, average_session_duration_sec: 45 },
          ...{ active_user_count: 2, new_user_count: 1, session_count: 2, session_duration_ms: 90_000 },
          ...{ weekly_active_user_count: 0 },
          ...{ monthly_active_user_count: 0, anonymous_user_count: 0, bot_user_count: 0, bot_session_count: 0 },
          updated_at: "2026-05-02T13:00:00.250Z",
        },
      ],
    });
  });

  it("--by lists the values with most events, and all others in one row", async () => {
    const { stdout } = await report("--by", "country", "--limit", "2", "--csv", ...RANGE);
    assert.equal(stdout, "value,events,sessions,person_days,persons\r\nDE,3,2,2,\r\nFR,2,2,2,\r\n(other),2,,,\r\n");
    const all = await report("--by", "country", "--csv", "--from", "2026-05-02", "--to", "2026-05-02");
    assert.match(all.stdout, /^'=1\+1,1,1,1,1\r$/m);
  });

  it("a terminal gets charts and colours", async () => {
    const days = await onTerminal(...RANGE);
    assert.match(days, /\u001b\[1m2026-05-01 to 2026-05-03/);
    assert.match(days, /^active {4}▁█▁ {2}highest 2$/m);
    assert.match(days, /^2026-05-02 +2 +1 +0 +0 +0 +2 +45 s$/m);
    const countries = await onTerminal("--by", "country", ...RANGE);
    assert.match(countries, /^DE +3 +42\.9 % +\d+ +\d+ {2}█+$/m);
    assert.match(countries, /^7 events, \d sessions and \d person days in all\.$/m);
  });

  it("a dimension that was not computed, an unknown one and contradicting options are errors that tell what to do", async () => {
    const missing = await report("--by", "city", ...RANGE);
    assert.equal(missing.code, 1);
    assert.match(
      missing.stderr,
      /did not compute city, but country\. Add it: `eventlogger refresh --breakdowns country,city`/,
    );
    const wrong = await report("--by", "weather", "--csv", "--json", "--from", "2026-05-02", "--to", "2026-05-01");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--from \(FROM\) must not be after --to \(TO\): 2026-05-02 is after 2026-05-01/);
    assert.match(wrong.stderr, /--csv and --json exclude each other/);
    assert.match(wrong.stderr, /--by \(BY\): "weather" is not a dimension/);
  });

  it("a dataset before the first start of the pipeline is an error that names the command", async () => {
    const { code, stderr } = await eventlogger(argumentsOf([], await fixture.freshDataset()));
    assert.equal(code, 1);
    assert.match(stderr, /has no numbers yet\. The first start of the pipeline creates them: `eventlogger run`/);
  });
});
