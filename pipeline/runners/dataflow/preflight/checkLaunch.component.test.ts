import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BigQuery } from "@google-cloud/bigquery";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { readActiveGeneration, recordGeneration } from "@eventlogger/gcp/bigquery/generations";
import { setUpBigQuery } from "@eventlogger/gcp/bigquery/setup/setUpBigQuery";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { packageVersion } from "../../../packageVersion";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { setUpReplay } from "@eventlogger/gcp/pubsub/setup/setUpReplay";
import { startFakeGoogle, type FakeGoogle } from "@eventlogger/gcp/testing/fakeGoogle";
import { FakeRegistry } from "@eventlogger/gcp/testing/fakeRegistry";
import { FakeServer, googleError } from "@eventlogger/gcp/testing/fakeServer";
import { eventlogger, type CliRun } from "../../../cli/testing/eventlogger";
import { WORKER_LABEL } from "./checkImage";
import { checkLaunch, type LaunchCheck } from "./checkLaunch";
import { requireGeneration, recordSettings } from "./recordSettings";

describe("checkLaunch", () => {
  const bigquery = useBigQueryEmulator();
  const registry = new FakeRegistry();
  let dir: string;
  let emulator: PubSubEmulator;
  let google: FakeGoogle;
  let images: FakeServer;
  let environment: NodeJS.ProcessEnv;
  let client: BigQuery;
  let options: LaunchCheck & { rebuildCommand: string };

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "preflight-"));
    emulator = await startPubSubEmulator({ logFile: join(dir, "log") });
    google = await startFakeGoogle();
    images = await FakeServer.start([registry.service]);
    registry.add("worker", "this", { labels: { [WORKER_LABEL]: packageVersion() } });
    registry.add("worker", "foreign", {});
    environment = { ...process.env };
    Object.assign(process.env, google.env, { PUBSUB_EMULATOR_HOST: emulator.host });
    const pubsub = pubSubClient({ project: google.project });
    await pubsub.createTopic("events");
    await pubsub.topic("events").createSubscription("events-pipeline");
    await setUpReplay(pubsub, { topic: "events", subscription: "events-pipeline", generation: 1 });
    await pubsub.topic("events").createSubscription("pushing", { pushEndpoint: "http://127.0.0.1:9/" });
    await pubsub.createTopic("doomed");
    await pubsub.topic("doomed").createSubscription("orphan");
    await pubsub.topic("doomed").delete();
    await pubsub.topic("events").createSubscription("impatient", {
      deadLetterPolicy: { deadLetterTopic: `projects/${google.project}/topics/events`, maxDeliveryAttempts: 5 },
    });
    await pubsub.close();
    client = bigQueryClient({ project: google.project, endpoint: bigquery.emulator.url });
    await setUpBigQuery(client, { dataset: "analytics" });
    options = {
      project: google.project,
      region: google.region,
      subscription: "events-pipeline",
      replaySubscription: "events-pipeline-replay-g1",
      rebuildCommand: "eventlogger rebuild",
      dataset: "analytics",
      tempLocation: `gs://${google.bucket}/temp`,
      image: `${images.url.slice("http://".length)}/worker:this`,
      jobName: "eventlogger",
      bigqueryEndpoint: bigquery.emulator.url,
      dataflowEndpoint: google.endpoint,
      timeoutMs: 5000,
    };
  });
  after(async () => {
    process.env = environment;
    await Promise.all([images?.stop(), google?.stop(), emulator?.stop()]);
    rmSync(dir, { recursive: true });
  });
  afterEach(() => {
    google.reset();
    google.storage.denied.clear();
    images.reset();
  });

  const problemsOf = async (more: Partial<LaunchCheck>): Promise<readonly string[]> => {
    const { problems, warnings } = await checkLaunch({ ...options, ...more });
    assert.deepEqual(warnings, []);
    return problems;
  };

  it("reports no problem and no warning when all resources exist", async () => {
    assert.deepEqual(await checkLaunch(options), { problems: [], warnings: [] });
  });

  it("records the settings of a launch in the dataset, and reports another session gap at the next launch as a problem", async () => {
    const settings = { ...options, sessionGapMs: 1_800_000 };
    const none = { problems: [], warnings: [] };
    assert.deepEqual(await recordSettings(settings), none);
    assert.deepEqual(await recordSettings(settings), none);
    const other = await recordSettings({ ...settings, sessionGapMs: 60_000 });
    assert.deepEqual(other.warnings, []);
    assert.match(
      other.problems.join(),
      /the session gap is 1800 s in the dataset, but 60 s in this run[^]*\n  eventlogger rebuild$/,
    );
    const { problems, warnings } = await recordSettings({ ...settings, dataset: "nowhere" });
    assert.deepEqual(problems, []);
    assert.match(warnings.join(), /^Could not check the settings of dataset nowhere: /);
  });

  it("a launch records a secret of the hash in the keys of state in the dataset, and every launch and update of the dataset uses it", async () => {
    const settings = { ...options, dataset: "secret", sessionGapMs: 1_800_000 };
    await setUpBigQuery(client, { dataset: settings.dataset });
    const secret = (await requireGeneration(settings)).settings.shardHashSecret;
    assert.match(secret ?? "", /^[0-9a-f]{32}$/);
    assert.equal((await readActiveGeneration(client, settings.dataset))?.settings.shardHashSecret, secret);
    for (const update of [false, true]) {
      assert.equal((await requireGeneration({ ...settings, update })).settings.shardHashSecret, secret);
    }
  });

  it("a launch without definitions has those of the dataset, and one with another time zone is refused", async () => {
    const settings = { ...options, dataset: "zone" };
    await setUpBigQuery(client, { dataset: settings.dataset });
    const given = { ...settings, sessionGapMs: 600_000, timeZone: "Asia/Kolkata", countBots: true };
    assert.deepEqual(await recordSettings(given), { problems: [], warnings: [] });
    for (const launch of [settings, given, { ...settings, timeZone: "Asia/Calcutta" }]) {
      const { sessionGapMs, timeZone, countBots } = (await requireGeneration(launch)).settings;
      assert.deepEqual([sessionGapMs, timeZone, countBots], [600_000, "Asia/Kolkata", true]);
      assert.deepEqual(await recordSettings(launch), { problems: [], warnings: [] });
    }
    const refused = /the time zone is Asia\/Kolkata in the dataset, but UTC in this run \(--time-zone\)/;
    assert.match((await recordSettings({ ...settings, timeZone: "UTC" })).problems.join(), refused);
    await assert.rejects(requireGeneration({ ...settings, timeZone: "UTC" }), refused);
    const bots = /bots count in the dataset, but do not count in this run \(--count-bots\)/;
    await assert.rejects(requireGeneration({ ...settings, countBots: false }), bots);
  });

  it("an update of a job whose state has the format of an earlier release is refused, with and without preflight checks", async () => {
    const settings = { ...options, dataset: "first_format", sessionGapMs: 1_800_000, update: true };
    await setUpBigQuery(client, { dataset: settings.dataset });
    const refused = async (message: RegExp): Promise<void> => {
      assert.match((await recordSettings(settings)).problems.join(), message);
      await assert.rejects(requireGeneration(settings), message);
    };
    await refused(/the running job is of a release that recorded no settings/);
    await recordGeneration(client, settings.dataset, { sessionGapMs: 1_800_000 });
    await refused(/the state has format 1 in the dataset, but this release reads format 3/);
  });

  it("a launch fails when the secret of the hash in the keys of state cannot be read, because an update would lose the state", async () => {
    const settings = { ...options, dataset: "nowhere", sessionGapMs: 1_800_000 };
    await assert.rejects(
      requireGeneration(settings),
      /^Error: Error reading the settings of dataset nowhere, on which the state of a job depends: /,
    );
  });

  it("reports all missing resources at once", async () => {
    google.dataflow.add({ name: "eventlogger" });
    const problems = await problemsOf({
      subscription: "none",
      replaySubscription: "none-replay-g1",
      dataset: "nowhere",
      tempLocation: "gs://no-bucket/temp",
      image: options.image.replace("this", "foreign"),
    });
    for (const expected of [
      /Subscription none does not exist in project fake-project.*eventlogger setup.*--project/,
      /Subscription none-replay-g1 does not exist .*eventlogger setup/,
      /Table nowhere\.events does not exist .*eventlogger setup/,
      /Table nowhere\.daily_rollup_versions does not exist /,
      /Table nowhere\.weekly_retention_versions does not exist /,
      /Table nowhere\.daily_breakdowns does not exist /,
      /Table nowhere\.hourly_events does not exist /,
      /Table nowhere\.anonymous_activity does not exist /,
      /Table nowhere\.dead_letters does not exist /,
      /Table nowhere\.accepted_ids does not exist /,
      /Table nowhere\.generations does not exist /,
      /Bucket gs:\/\/no-bucket does not exist\. .*eventlogger setup --bucket gs:\/\/no-bucket/,
      /worker:foreign does not contain this package/,
      /Job eventlogger is already active \(2026-.*--job-name/,
    ]) {
      assert.ok(
        problems.some((problem) => expected.test(problem)),
        `${expected.source}\n${problems.join("\n")}`,
      );
    }
    assert.equal(problems.length, 14);
  });

  it("explains why the pipeline cannot read a subscription", async () => {
    const one = async (subscription: string): Promise<string> => (await problemsOf({ subscription })).join();
    assert.match(await one("projects/other/subscriptions/events-pipeline"), /is in project other, but .* fake-project/);
    assert.equal(await one("projects/fake-project/subscriptions/events-pipeline"), "");
    assert.match(await one("orphan"), /topic of subscription orphan was deleted/);
    assert.match(await one("pushing"), /pushes to http:\/\/127.0.0.1:9\/, so that the pipeline cannot pull/);
  });

  it("warns of settings that may be intended", async () => {
    google.storage.buckets.set("far", { name: "far", location: "US-EAST1" });
    const { problems, warnings } = await checkLaunch({
      ...options,
      subscription: "impatient",
      stagingLocation: "gs://far/staging",
    });
    assert.deepEqual(problems, []);
    assert.match(warnings.join("\n"), /impatient dead-letters a message after 5 deliveries/);
    assert.match(warnings.join("\n"), /Bucket gs:\/\/far is in US-EAST1, but the workers are in europe-west1/);
    assert.equal(warnings.length, 2);
  });

  it("reports missing and mistyped columns of a table", async () => {
    const dataset = "older";
    await setUpBigQuery(client, { dataset });
    await client.dataset(dataset).table("events").delete();
    const fields = [{ name: "event_id", type: "INT64" }];
    await client.dataset(dataset).createTable("events", { schema: { fields } });
    const problems = await problemsOf({ dataset });
    assert.match(problems[0] ?? "", /lacks the columns session_id, event_name.*eventlogger setup/);
    assert.match(problems[1] ?? "", /Column event_id .* has type INT64, but the pipeline writes STRING/);
  });

  it("names missing permissions on the bucket, and does not need the permission to read its settings", async () => {
    google.storage.denied.add("storage.objects.create");
    assert.match((await problemsOf({})).join(), /missing on bucket gs:\/\/fake-bucket: storage\.objects\.create/);
    google.storage.denied.clear();
    google.storage.denied.add("storage.buckets.get");
    assert.deepEqual(await problemsOf({}), []);
  });

  it("requires an active job for an update, and none for a launch", async () => {
    assert.match((await problemsOf({ update: true })).join(), /No active job is named eventlogger/);
    google.dataflow.add({ name: "eventlogger" });
    assert.deepEqual(await problemsOf({ update: true }), []);
  });

  it("names a disabled API and the command that enables it", async () => {
    const disabled =
      "Dataflow API has not been used in project 42 before or it is disabled. Enable it by visiting " +
      "https://console.developers.google.com/apis/api/dataflow.googleapis.com/overview?project=42 then retry.";
    google.server.fail({ match: /v1b3/, answer: googleError(403, disabled) });
    assert.match((await problemsOf({})).join(), /gcloud services enable dataflow\.googleapis\.com/);
  });

  it("warns within the time limit when a service cannot be reached", async () => {
    google.server.fail({ match: /storage/, answer: "hang" });
    images.fail({ match: /manifests/, answer: googleError(500, "out of order") });
    const started = Date.now();
    const { problems, warnings } = await checkLaunch({
      ...options,
      bigqueryEndpoint: "http://127.0.0.1:9",
      timeoutMs: 1500,
    });
    assert.ok(Date.now() - started < 15_000);
    assert.deepEqual(problems, []);
    assert.equal(warnings.length, 3, warnings.join("\n"));
    assert.match(warnings.join("\n"), /Could not check bucket gs:\/\/fake-bucket\/temp: no response within 1.5 s/);
    assert.match(warnings.join("\n"), /Could not check image .*: HTTP 500/);
    assert.match(warnings.join("\n"), /Could not check the tables of dataset /);
  });

  it("reports expired credentials once", async () => {
    google.server.fail({ match: /token/, answer: { status: 400, body: { error: "invalid_grant" } } });
    const problems = await problemsOf({});
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.match(problems[0] ?? "", /gcloud auth application-default login/);
  });

  describe("eventlogger launch --check-only", () => {
    const dataset = "only_checked";
    before(() => setUpBigQuery(client, { dataset }));

    const checkOnly = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliRun> => {
      const { project, region, image, tempLocation, dataflowEndpoint, bigqueryEndpoint } = options;
      return eventlogger(
        [
          ...[
            "launch",
            "--check-only",
            "--project",
            project,
            "--region",
            region,
            "--image",
            image,
            "--dataset",
            dataset,
          ],
          ...["--temp-location", tempLocation, "--bigquery-endpoint", bigqueryEndpoint as string],
          ...["--dataflow-endpoint", dataflowEndpoint as string, ...args],
        ],
        { cwd: dir, env: { ...google.env, PUBSUB_EMULATOR_HOST: emulator.host, ...env } },
      );
    };

    it("shows every check as ok, creates no job, and records no settings", async () => {
      const { code, stdout, stderr } = await checkOnly([]);
      assert.equal(code, 0, stdout + stderr);
      const lines = stdout.trimEnd().split("\n");
      assert.deepEqual(lines, [
        "preflight checks of a launch; nothing is submitted",
        "ok       credentials and addresses of the services",
        "ok       subscription events-pipeline",
        "ok       subscription events-pipeline-replay-g1",
        `ok       the tables of dataset ${dataset}`,
        `ok       bucket ${options.tempLocation.replace("/temp", "/staging")}`,
        `ok       image ${options.image}`,
        "ok       job name eventlogger in europe-west1",
        `ok       the settings of dataset ${dataset}`,
        "ready    a launch would pass these checks. Nothing was submitted",
      ]);
      assert.equal(await readActiveGeneration(client, dataset), undefined);
      assert.equal(google.server.requestsTo(/^POST .*\/jobs$/).length, 0);
      assert.equal(google.storage.objects.size, 0);
    });

    it("shows each problem below its check, and exits with 1", async () => {
      await recordGeneration(client, dataset, { sessionGapMs: 1_800_000 });
      google.storage.buckets.set("far", { name: "far", location: "US-EAST1" });
      google.dataflow.add({ name: "eventlogger" });
      const { code, stdout } = await checkOnly([
        ...["--subscription", "none", "--staging-location", "gs://far/staging", "--session-gap", "1m", "--json"],
      ]);
      assert.equal(code, 1);
      const { ready, checks } = JSON.parse(stdout) as {
        ready: boolean;
        checks: { what: string; status: string; problems: string[]; warnings: string[] }[];
      };
      assert.equal(ready, false);
      const status = Object.fromEntries(checks.map((check) => [check.what, check.status]));
      assert.deepEqual(status, {
        "credentials and addresses of the services": "ok",
        "subscription none": "problem",
        "subscription none-replay-g1": "problem",
        [`the tables of dataset ${dataset}`]: "ok",
        [`bucket ${options.tempLocation}`]: "ok",
        "bucket gs://far/staging": "warning",
        [`image ${options.image}`]: "ok",
        "job name eventlogger in europe-west1": "problem",
        [`the settings of dataset ${dataset}`]: "problem",
        "the state of generation 1": "problem",
      });
      const text = checks.flatMap(({ problems, warnings }) => [...problems, ...warnings]).join("\n");
      for (const expected of [
        /Subscription none does not exist/,
        /Bucket gs:\/\/far is in US-EAST1/,
        /Job eventlogger is already active/,
        /the session gap is 1800 s in the dataset, but 60 s in this run/,
        /Generation 1 of dataset only_checked is already computed by job eventlogger/,
      ]) {
        assert.match(text, expected);
      }
      const forPeople = await checkOnly(["--subscription", "none"]);
      assert.equal(forPeople.code, 1);
      assert.match(forPeople.stdout, /^problem {2}subscription none\n {9}Subscription none does not exist /m);
      assert.match(forPeople.stdout, /^5 problems: a launch would be refused$/m);
    });

    it("makes no other check when nothing answers at the address of a service", async () => {
      const { code, stdout } = await checkOnly([], { PUBSUB_EMULATOR_HOST: "127.0.0.1:9" });
      assert.equal(code, 1);
      assert.match(
        stdout,
        /^problem {2}credentials and addresses of the services\n {9}Nothing answers at 127\.0\.0\.1:9/m,
      );
      assert.match(stdout, /^The other checks need this one, and were not made$/m);
      assert.doesNotMatch(stdout, /^ok/m);
    });

    it("cannot be combined with options that leave out checks", async () => {
      const { code, stderr } = await checkOnly(["--no-check", "--dry-run"]);
      assert.equal(code, 2);
      assert.match(stderr, /--check-only \(CHECK_ONLY\) cannot be combined with --no-check/);
      assert.match(
        stderr,
        /--check-only \(CHECK_ONLY\) cannot be combined with --dry-run \(DRY_RUN\), which contacts no service/,
      );
    });
  });
});
