import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BigQuery } from "@google-cloud/bigquery";
import type { PubSub } from "@google-cloud/pubsub";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { readGenerations, recordGeneration, recordJob } from "@eventlogger/gcp/bigquery/generations";
import { setUpBigQuery } from "@eventlogger/gcp/bigquery/setup/setUpBigQuery";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { setUpPubSub } from "@eventlogger/gcp/pubsub/setup/setUpPubSub";
import { googleError } from "@eventlogger/gcp/testing/fakeServer";
import { generationSettings } from "../../generationSettings";
import { useFakeGoogle } from "../../runners/dataflow/testing/useFakeGoogle";
import { eventlogger, type CliRun } from "../testing/eventlogger";

const SECRET = "00112233445566778899aabbccddeeff";

describe("eventlogger rebuild --runner dataflow", () => {
  const fixture = useBigQueryEmulator();
  const fakes = useFakeGoogle();
  let dir: string;
  let emulator: PubSubEmulator;
  let pubsub: PubSub;
  let bigquery: BigQuery;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "rebuild-cli-"));
    emulator = await startPubSubEmulator({ logFile: join(dir, "pubsub.log") });
    process.env.PUBSUB_EMULATOR_HOST = emulator.host;
    pubsub = pubSubClient({ project: fakes.google.project });
    bigquery = bigQueryClient({ project: fakes.google.project, endpoint: fixture.emulator.url });
    await setUpPubSub(pubsub, { topic: "events", subscription: "events-pipeline" });
    await setUpBigQuery(bigquery, { dataset: "analytics" });
    await recordGeneration(bigquery, "analytics", generationSettings(1_800_000, SECRET), {
      ...{ subscription: "events-pipeline", replayTopic: "events-replay-g1" },
      replaySubscription: "events-pipeline-replay-g1",
    });
  });
  after(async () => {
    delete process.env.PUBSUB_EMULATOR_HOST;
    await pubsub.close();
    await emulator.stop();
    rmSync(dir, { recursive: true });
  });

  const run = (args: readonly string[], options: Parameters<typeof eventlogger>[1] = {}): Promise<CliRun> => {
    const { google } = fakes;
    const where = ["--runner", "dataflow", "--project", google.project, "--region", google.region, "--no-check"];
    const job = ["--temp-location", "gs://fake-bucket/temp", "--image", "r/worker:1"];
    const endpoints = ["--dataflow-endpoint", google.endpoint, "--monitoring-endpoint", google.endpoint];
    return eventlogger(["rebuild", ...where, ...job, ...endpoints, ...args], {
      cwd: dir,
      ...options,
      env: { ...google.env, PUBSUB_EMULATOR_HOST: emulator.host, BIGQUERY_ENDPOINT: fixture.emulator.url },
    });
  };
  /** The job that computes generation 1, as its launch has recorded it. */
  async function addFirstJob(): Promise<void> {
    const { google } = fakes;
    const { id } = google.dataflow.add({ name: "eventlogger" });
    await recordJob(bigquery, "analytics", 1, { runner: "dataflow", region: google.region, name: "eventlogger", id });
  }
  const subscriptions = async (): Promise<string[]> =>
    (await pubsub.getSubscriptions())[0].map(({ name }) => name.split("/").at(-1) ?? "").sort();

  it("is refused when the metrics cannot be read, or the job of the generation has ended, and creates nothing", async () => {
    await addFirstJob();
    const denied = googleError(403, "Permission monitoring.timeSeries.list denied (or the resource may not exist).");
    fakes.google.server.fail({ match: /timeSeries/, answer: denied });
    const unreadable = await run(["--session-gap", "15m"]);
    assert.equal(unreadable.code, 1);
    assert.match(unreadable.stderr, /role with the permission monitoring\.timeSeries\.list/);
    const [job] = fakes.google.dataflow.jobs;
    assert.ok(job);
    job.currentState = "JOB_STATE_DRAINED";
    const lost = await run(["--session-gap", "15m"]);
    assert.equal(lost.code, 1);
    assert.match(
      lost.stderr,
      /Nothing computes the active generation 1: job eventlogger \(.*\) is drained\..*Rebuild with `--take-over`/,
    );
    assert.equal((await readGenerations(bigquery, "analytics")).length, 1);
    assert.deepEqual(await subscriptions(), ["events-pipeline", "events-pipeline-replay-g1"]);
  });

  it("submits a second job that reads subscriptions of its own, can be interrupted, and --abort removes both", async () => {
    await addFirstJob();
    const { dataflow, storage } = fakes.google;
    const second = (): (typeof dataflow.jobs)[number] | undefined =>
      dataflow.jobs.find(({ name }) => name === "eventlogger-g2");
    const submitted = async (): Promise<void> => {
      while (!second()) await new Promise((resolve) => setTimeout(resolve, 50));
    };
    const interrupted = await run(["--session-gap", "15m"], { interrupt: submitted() });
    assert.equal(interrupted.code, 130, interrupted.stderr + interrupted.stdout);
    assert.match(interrupted.stdout + interrupted.stderr, /^stopped; /m);
    const [first, next] = await readGenerations(bigquery, "analytics");
    assert.deepEqual([first?.status, next?.status, next?.settings.sessionGapMs], ["active", "building", 900_000]);
    assert.equal(next?.job?.runner === "dataflow" ? next.job.name : undefined, "eventlogger-g2");
    assert.deepEqual(await subscriptions(), [
      ...["events-pipeline", "events-pipeline-g2", "events-pipeline-replay-g1", "events-pipeline-replay-g2"],
    ]);
    const pipelines = [...storage.objects].filter(([name]) => name.endsWith("/pipeline.pb"));
    const [[, bytes] = []] = pipelines;
    for (const text of ["subscriptions/events-pipeline-g2", "subscriptions/events-pipeline-replay-g2"]) {
      assert.ok(pipelines.length === 1 && bytes?.includes(text), text);
    }
    assert.ok(!bytes?.includes(SECRET), "each generation has a secret of its own");

    const aborted = await run(["--abort"]);
    assert.equal(aborted.code, 0, aborted.stderr);
    assert.equal(second()?.currentState, "JOB_STATE_CANCELLED");
    assert.equal(dataflow.jobs.find(({ name }) => name === "eventlogger")?.currentState, "JOB_STATE_RUNNING");
    assert.deepEqual(await subscriptions(), ["events-pipeline", "events-pipeline-replay-g1"]);
  });
});
