import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { eventIdHash, hashToHex } from "@eventlogger/events/accepted/acceptedIds";
import { dayOf } from "@eventlogger/events/day";
import { eventRow } from "../io/bigquery/eventRow";
import { deadLetterOfRefusedRow } from "../io/bigquery/refusedRow";
import { acceptedIdsRow, deadLetterRow } from "../io/bigquery/sinkRows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { event, rollupVersion } from "@eventlogger/gcp/bigquery/testing/rows";
import { validateEvent } from "@eventlogger/events/validation";
import { startFakeGoogle } from "@eventlogger/gcp/testing/fakeGoogle";
import type { SetupStep } from "@eventlogger/gcp/setup/setupStep";
import { eventlogger, type CliRun } from "./testing/eventlogger";
import { startEventServer, type EventServer } from "@eventlogger/traffic/testing/eventServer";

describe("eventlogger", () => {
  it("--help lists all commands, and each command has a help with examples", async () => {
    const all = await eventlogger(["--help"]);
    assert.equal(all.code, 0);
    const names =
      "setup run launch status logs update drain cancel generate verify generations dead-letters worker-pool".split(
        " ",
      );
    const check = async (name: string): Promise<void> => {
      assert.match(all.stdout, new RegExp(`^ +eventlogger ${name} `, "m"));
      const one = await eventlogger([name, "--help"]);
      assert.equal(one.code, 0);
      assert.match(one.stdout, new RegExp(`Examples:\\n[^]*eventlogger ${name}[ \\n]`));
      assert.match(one.stdout, /environment variable in brackets/);
    };
    await Promise.all(names.map(check));
  });

  it("exits with 2 and reports all problems of the command line and the environment", async () => {
    const { code, stdout, stderr } = await eventlogger(["verify", "--datset", "x", "--session-gap", "0"], {
      env: { DATASET: "not-one", TIME_ZONE: "PST" },
    });
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /unknown option --datset; did you mean --dataset\?/);
    assert.match(stderr, /--session-gap \(SESSION_GAP\) must be a positive whole number of seconds/);
    assert.match(stderr, /--time-zone \(TIME_ZONE\) must be an IANA time zone such as Europe\/Berlin, or UTC/);
    assert.match(stderr, /--dataset \(DATASET\) must be letters, digits and underscores/);
    assert.doesNotMatch(stderr, /\u001b/);
  });

  it("exits with 2 and points to --help without a command, with an unknown one, and with an option before it", async () => {
    const cases: [string[], RegExp][] = [
      [[], /^error: a command is required: setup, run, .*\bverify\b.*\bworker-pool\b.*\n/],
      [["verfy"], /^error: unknown command "verfy"; did you mean verify\?\n/],
      [["frobnicate"], /^error: unknown command "frobnicate"; the commands are setup, run, /],
      [["--json", "verify"], /^error: the first argument must be a command, not "--json"; the commands are setup, /],
    ];
    await Promise.all(
      cases.map(async ([args, message]) => {
        const { code, stdout, stderr } = await eventlogger(args);
        assert.deepEqual([code, stdout], [2, ""]);
        assert.match(stderr, message);
        assert.match(stderr, /\nSee eventlogger --help\n$/);
      }),
    );
  });

  describe("generate", () => {
    let server: EventServer;
    beforeEach(async () => (server = await startEventServer()));
    afterEach(() => server.stop());
    const url = (): string => server.url.origin;

    it("sends events and prints a summary of one line", async () => {
      const { code, stdout, stderr } = await eventlogger(["generate", "--url", url(), "--count", "300", "--rate", "0"]);
      assert.equal(code, 0, stderr);
      assert.match(
        stdout,
        /^sent 300 events in [\d.]+ s \([\d,]+ events\/s\): 300 accepted, 0 refused, 0 failed, 0 retries\n$/,
      );
      assert.equal(stderr, "");
      assert.equal(server.requests.length, 300);
      assert.equal(server.requests[0]?.path, "/event/");
      assert.equal(server.requests[0]?.body.type, "event");
    });

    it("sends the same events for the same --seed and --now", async () => {
      const args = ["generate", "--url", url(), "--count", "50", "--rate", "0", "--connections", "1", "--seed", "3"];
      args.push("--now", "2024-05-17T12:00:00Z");
      await eventlogger(args);
      await eventlogger(args);
      const bodies = server.requests.map((r) => JSON.stringify(r.body));
      assert.equal(bodies.length, 100);
      assert.deepEqual(bodies.slice(0, 50), bodies.slice(50));
    });

    it("exits with 1 when events are refused, and prints the first responses", async () => {
      server.answer = (nth) => ({ status: nth > 10 ? 400 : 204 });
      const { code, stdout, stderr } = await eventlogger(["generate", "--url", url(), "--count", "50", "--rate", "0"]);
      assert.equal(code, 1);
      assert.match(stdout, /10 accepted, 40 refused, 0 failed/);
      assert.equal(stderr.match(/refused with status 400: .*is wrong/g)?.length, 3);
    });

    it("stops at Ctrl-C and prints a summary", async () => {
      const someEvents = async (): Promise<void> => {
        while (server.requests.length < 20) await setTimeout(20);
      };
      const args = ["generate", "--url", url(), "--live", "--count", "0", "--rate", "50"];
      const { code, stdout } = await eventlogger(args, { interrupt: someEvents() });
      assert.equal(code, 130);
      const accepted = Number(/^stopped: sent .* (\d+) accepted, 0 refused, 0 failed/.exec(stdout)?.[1]);
      assert.equal(accepted, server.requests.length);
      assert.ok(accepted > 0);
      for (const { body } of server.requests) {
        const result = validateEvent(body, Date.now());
        assert.ok(result.ok && result.event.event_time <= Date.now());
      }
    });
  });

  describe("setup and verify", () => {
    const bigquery = useBigQueryEmulator();
    let dir: string;
    let pubsub: PubSubEmulator;
    before(async () => {
      dir = mkdtempSync(join(tmpdir(), "cli-"));
      pubsub = await startPubSubEmulator({ logFile: join(dir, "log") });
    });
    after(async () => {
      await pubsub?.stop();
      rmSync(dir, { recursive: true });
    });
    const env = (): Record<string, string> => ({
      PUBSUB_EMULATOR_HOST: pubsub.host,
      BIGQUERY_ENDPOINT: bigquery.emulator.url,
    });

    it("setup creates all resources, and reports them as existing the second time", async () => {
      const args = ["setup", "--dead-letter-topic", "events-dead-letters"];
      const first = await eventlogger(args, { env: env() });
      assert.equal(first.code, 0, first.stderr);
      assert.deepEqual(first.stdout.trim().split("\n"), [
        "created schema events",
        "created topic events (accepts messages of schema events)",
        "created topic events-dead-letters",
        "created subscription events-dead-letters",
        "created subscription events-pipeline (dead letters to events-dead-letters after 100 deliveries)",
        "created topic events-replay-g1",
        "created subscription events-pipeline-replay-g1",
        "created dataset analytics",
        "created table analytics.events",
        "created table analytics.daily_rollup_versions",
        "created table analytics.dead_letters",
        "created table analytics.accepted_ids",
        "created table analytics.generations",
        "created table analytics.weekly_retention_versions",
        "created table analytics.daily_breakdowns",
        "created table analytics.hourly_events",
        "created table analytics.anonymous_activity",
        "created view analytics.daily_rollup_latest",
        "created view analytics.daily_rollups",
        "created view analytics.daily_rollups_all",
        "created view analytics.events_unique",
        "created view analytics.weekly_retention_latest",
        "created view analytics.weekly_retention",
        "created view analytics.weekly_retention_all",
        "created view analytics.breakdowns",
        "created view analytics.hours",
      ]);
      const second = await eventlogger(args, { env: env() });
      assert.equal(second.code, 0, second.stderr);
      assert.equal(second.stdout.match(/^exists /gm)?.length, first.stdout.match(/^created /gm)?.length);
      assert.doesNotMatch(second.stdout, /created|updated|differs/);
    });

    it("setup skips optional resources, and reports differences as JSON", async () => {
      const names = ["--topic", "plain", "--subscription", "plain", "--dataset", "plain"];
      const bare = await eventlogger(["setup", ...names, "--schema", "none"], { env: env() });
      assert.equal(bare.code, 0, bare.stderr);
      assert.deepEqual(bare.stdout.trim().split("\n").slice(0, 5), [
        "created topic plain",
        "created subscription plain",
        "created topic plain-replay-g1",
        "created subscription plain-replay-g1",
        "created dataset plain",
      ]);
      const { code, stdout, stderr } = await eventlogger(["setup", ...names, "--json"], { env: env() });
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^exists +topic plain \(differs: no schema, accepts any message\)$/m);
      const { steps, notes } = JSON.parse(stdout) as { steps: SetupStep[]; notes: string[] };
      assert.deepEqual(steps[1], {
        kind: "topic",
        name: "plain",
        outcome: "exists",
        differences: ["no schema, accepts any message"],
      });
      assert.match(notes.join(), /--update-existing/);
    });

    it("setup creates a bucket, and skips it when only Pub/Sub and BigQuery are emulators", async () => {
      const google = await startFakeGoogle();
      try {
        const args = ["setup", "--bucket", "gs://my-bucket", "--location", "EU"];
        const without = await eventlogger(args, { env: env() });
        assert.equal(without.code, 0, without.stderr);
        assert.match(without.stdout, /^gs:\/\/my-bucket was skipped: .*\(STORAGE_EMULATOR_HOST\)/m);
        const made = await eventlogger(args, { env: { ...env(), ...google.env } });
        assert.equal(made.code, 0, made.stderr);
        assert.match(made.stdout, /^created bucket gs:\/\/my-bucket \(in EU\)$/m);
        const again = await eventlogger(args, { env: { ...env(), ...google.env } });
        assert.match(again.stdout, /^exists +bucket gs:\/\/my-bucket$/m);
      } finally {
        await google.stop();
      }
    });

    it("launch checks the resources of setup before it builds the pipeline", async () => {
      const google = await startFakeGoogle();
      try {
        const variables = { ...env(), ...google.env, PROJECT: google.project };
        const launch = async (): Promise<CliRun> => {
          const args = [
            "--region",
            google.region,
            "--dataflow-endpoint",
            google.endpoint,
            "--image",
            "127.0.0.1:9/w:1",
          ];
          return eventlogger(["launch", "--temp-location", "gs://my-bucket/temp", ...args], { env: variables });
        };
        const { code, stdout, stderr } = await launch();
        assert.equal(code, 1);
        assert.match(stdout, /^warning Could not check image 127\.0\.0\.1:9\/w:1: /m);
        assert.match(stderr, /Subscription events-pipeline does not exist in project fake-project/);
        assert.match(stderr, /Table analytics\.events does not exist in project fake-project/);
        assert.match(stderr, /Bucket gs:\/\/my-bucket does not exist/);
        assert.deepEqual(google.dataflow.jobs, []);
        const setup = await eventlogger(["setup", "--bucket", "gs://my-bucket"], { env: variables });
        assert.equal(setup.code, 0, setup.stderr);
        google.dataflow.add({ name: "eventlogger" });
        assert.match((await launch()).stderr, /skips the checks\):\n {2}- Job eventlogger is already active [^\n]*\n$/);
      } finally {
        await google.stop();
      }
    });

    it("setup requires a project without an emulator", async () => {
      const { code, stderr } = await eventlogger(["setup", "--bucket", "my-bucket"]);
      assert.equal(code, 2);
      assert.match(stderr, /--bucket .* must be the URL of a bucket such as gs:\/\/my-bucket/);
      assert.match(stderr, /--project \(PROJECT\) is required/);
    });

    it("setup exits with 2 when options contradict each other, and creates nothing", async () => {
      const args = ["setup", "--topic", "same", "--dead-letter-topic", "same", "--max-delivery-attempts", "101"];
      const { code, stdout, stderr } = await eventlogger(args, { env: env() });
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, /--max-delivery-attempts .*from 5 to 100/);
      assert.match(stderr, /--dead-letter-topic .* must differ from --topic/);
    });

    it("verify exits with 1 and prints the differences, or with 0 when there are none", async () => {
      const dataset = await bigquery.datasetWithGeneration();
      const folder = mkdtempSync(join(tmpdir(), "verify-"));
      const metricsFile = join(folder, "verify.prom");
      const verify = (): Promise<CliRun> =>
        eventlogger(["verify", "--dataset", dataset, "--metrics-file", metricsFile], { env: env() });
      const metric = (name: string): string | undefined =>
        new RegExp(`^eventlogger_verify_${name} (.*)$`, "m").exec(readFileSync(metricsFile, "utf8"))?.[1];
      const labels = `dataset="${dataset}",generation="1"`;
      const differences = `differences\\{${labels},numbers="days",days="ended"\\}`;
      const tables = bigquery.bigquery.dataset(dataset);
      await tables.table("events").insert([eventRow(event({ event_time: Date.parse("2024-05-01T10:00:00Z") }))]);
      const missing = await verify();
      assert.equal(missing.code, 1);
      assert.match(
        missing.stdout,
        /^different 2024-05-01 {2}is missing in the rollups, .* have 1 sessions\n.*\n1 differences on 1 days/,
      );
      assert.deepEqual([metric(`equal\\{${labels}\\}`), metric(differences)], ["0", "1"]);
      await tables.table("daily_rollup_versions").insert([rollupVersion({ date: "2024-05-01", session_count: 1 })]);
      const equal = await verify();
      assert.equal(equal.code, 0, equal.stdout + equal.stderr);
      assert.deepEqual([metric(`equal\\{${labels}\\}`), metric(differences)], ["1", "0"]);
      assert.deepEqual(equal.stdout.split("\n"), [
        "not covered 1 day not covered by the record of accepted events, 2024-05-01 to 2024-05-01: the record is empty, and " +
          "1 event came before",
        "equal 1 days equal, 0 recorded events in events, 0 cohorts equal",
        "generation 1, session gap 30m, days of UTC; bytes scanned: not reported",
        "",
      ]);
      const json = await eventlogger(["verify", "--dataset", dataset, "--since", "2020-01-01", "--json"], {
        env: env(),
      });
      assert.deepEqual(JSON.parse(json.stdout), {
        ...{ equal: true, equalDays: 1, differences: [], deadLetters: [], generation: 1, timeZone: "UTC" },
        ...{ mayLackLinks: false, retention: { differences: [], equalCohorts: 0, notCheckable: 0 } },
        record: { exists: true, recorded: 0, missing: [], uncovered: [{ date: "2024-05-01", events: 1 }] },
        ...{ sessionGapMs: 1_800_000, since: "2020-01-01", comparedDays: ["2024-05-01"], zoneDifferences: [] },
      });
      rmSync(folder, { recursive: true });
    });

    it("verify exits with 1 and names the days, the refused events and the dead letters that it finds", async () => {
      const dataset = await bigquery.freshDataset();
      const verify = (...args: string[]): Promise<CliRun> =>
        eventlogger(["verify", "--dataset", dataset, ...args], { env: env() });
      const empty = await verify();
      assert.equal(empty.code, 0, empty.stderr);
      assert.match(empty.stdout, /^nothing to compare: the dataset has no events, /);
      const lost = event({ event_id: "lost", event_time: Date.parse("2024-05-01T10:00:00Z") });
      const refused = deadLetterOfRefusedRow({
        ...{ table: "events", row: eventRow({ ...lost, event_id: 'ref"used' }), reason: "invalid", message: "m" },
      });
      const { day } = { day: dayOf(lost.event_time) };
      const hashes = ["lost", 'ref"used'].map(eventIdHash);
      const tables = bigquery.bigquery.dataset(dataset);
      await tables.table("accepted_ids").insert([acceptedIdsRow({ day, hashes, recordedAt: Date.now() })]);
      await tables.table("dead_letters").insert([deadLetterRow(refused)]);
      const { code, stdout } = await verify();
      assert.equal(code, 1);
      const [missing, byBigQuery, untraced, letters, summary] = stdout.split("\n");
      assert.equal(missing, "missing 2024-05-01  2 of 2 recorded events missing in events");
      assert.equal(byBigQuery, '    1 refused by BigQuery, in dead_letters: event_id "ref\\"used"');
      assert.equal(untraced, `    1 without a trace: hash of event_id ${hashToHex(eventIdHash("lost"))}`);
      assert.match(
        letters ?? "",
        /^dead letters 1 event that BigQuery refused \(row_refused: invalid\) from .*; 1 are not in events$/,
      );
      assert.equal(
        summary,
        "0 differences on 0 days, 0 days equal; 2 of 2 recorded events missing; 1 unexplained dead letter",
      );
      const wrong = await verify("--since", "yesterday", "--dead-letters-until", "2024-13-01");
      assert.equal(wrong.code, 2);
      assert.match(wrong.stderr, /--since .* must be a day such as 2026-01-31, not "yesterday"/);
      assert.match(wrong.stderr, /--dead-letters-until .* must be a time such as .*, not "2024-13-01"/);
    });

    it("refresh writes its result as metrics, and a dry run does not", async () => {
      const dataset = await bigquery.datasetWithGeneration();
      const folder = mkdtempSync(join(tmpdir(), "refresh-"));
      const file = join(folder, "refresh.prom");
      const row = eventRow(event({ event_time: Date.parse("2024-05-01T10:00:00Z") }));
      await bigquery.bigquery.dataset(dataset).table("events").insert([row]);
      const refresh = (...args: string[]): Promise<CliRun> =>
        eventlogger(["refresh", "--dataset", dataset, "--metrics-file", file, ...args], { env: env() });
      const dryRun = await refresh("--dry-run");
      assert.equal(dryRun.code, 0, dryRun.stderr);
      assert.ok(!existsSync(file));
      const startedAt = Date.now() / 1000;
      const refreshed = await refresh();
      assert.equal(refreshed.code, 0, refreshed.stderr);
      const text = readFileSync(file, "utf8");
      assert.match(text, new RegExp(`^eventlogger_refresh_computed_days{dataset="${dataset}",generation="1"} 1$`, "m"));
      const [, endedAt] = /^eventlogger_refresh_last_run_timestamp_seconds\{.*\} (.*)$/m.exec(text) ?? [];
      assert.ok(Number(endedAt) >= startedAt && Number(endedAt) <= Date.now() / 1000, endedAt);
      rmSync(folder, { recursive: true });
    });

    it("verify exits with 1 and names the dataset when it does not exist", async () => {
      const { code, stderr } = await eventlogger(["verify", "--dataset", "none"], { env: env() });
      assert.equal(code, 1);
      assert.match(stderr, /^error: .*none/m);
    });
  });
});
