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
import { WORKER_LABEL } from "./checkImage";
import { checkLaunch, type LaunchCheck } from "./checkLaunch";
import { requireGeneration, recordSettings } from "./recordSettings";

describe("checkLaunch", function () {
  this.timeout(60_000);
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
});
