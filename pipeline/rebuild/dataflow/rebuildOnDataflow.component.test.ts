import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { PubSub } from "@google-cloud/pubsub";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { readGeneration, readGenerations, recordGeneration, recordJob, type Generation } from "@eventlogger/gcp/bigquery/generations";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { verifyDataset } from "@eventlogger/gcp/bigquery/verify/verify";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { TimeSeries } from "@eventlogger/gcp/monitoring/timeSeries";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { liveSubscription, replaySubscription } from "@eventlogger/gcp/pubsub/replayNames";
import { setUpPubSub } from "@eventlogger/gcp/pubsub/setup/setUpPubSub";
import { createRandom } from "@eventlogger/traffic/generator/random";
import { generationSettings } from "../../generationSettings";
import { DataflowJobs } from "../../runners/dataflow/dataflowJobs";
import { useFakeGoogle } from "../../runners/dataflow/testing/useFakeGoogle";
import { abortRebuild } from "../abort";
import type { RebuildReporter } from "../context";
import { bigQueryStore } from "../gcp/bigQueryStore";
import { eventRows } from "../gcp/eventRows";
import { pubsubResources } from "../gcp/pubsubResources";
import { sqlVerifier } from "../gcp/sqlVerifier";
import { RebuildRunningError } from "../owner";
import { rebuild, type RebuildResult } from "../rebuild";
import type { RebuildServices, RebuildTimes } from "../services";
import { DataflowDriver, type DataflowDriverOptions } from "./dataflowDriver";
import { SubscriptionProgress } from "./publishedUntil";
import { SimulatedJobs, type JobDefinition } from "./testing/simulatedJobs";

const OLD_GAP_MS = 30 * 60_000;
const NEW_GAP_MS = 5 * 60_000;
const TIMES: Partial<RebuildTimes> = {
  ...{ leaseMs: 1500, renewMs: 60_000, pollMs: 20, recordMs: 0, clockSkewMs: 0, receiverSkewMs: 60_000 },
  ...{ previousLimitMs: 20_000, progressLimitMs: 20_000, compareMs: 50, settleMs: 100, verifyLimitMs: 20_000 },
};
const SILENT: RebuildReporter = { phase: () => {}, say: () => {}, doing: () => {}, rows: () => {} };
const never = new AbortController().signal;

/** A call of the rebuild to a service: fails before it, or after it as if its answer was lost. */
class InjectedError extends Error {}
type Inject = (name: string, when: "before" | "after") => void;

/** The same object, whose asynchronous methods call `inject` before and after. */
function injecting<T extends object>(name: string, target: T, inject: Inject, sync: readonly string[] = []): T {
  return new Proxy(target, {
    get(object, key, receiver) {
      const value: unknown = Reflect.get(object, key, receiver);
      if (typeof value !== "function" || sync.includes(String(key))) return value;
      return async (...args: unknown[]): Promise<unknown> => {
        const call = `${name}.${String(key)}`;
        inject(call, "before");
        const result: unknown = await Reflect.apply(value, object, args);
        inject(call, "after");
        return result;
      };
    },
  });
}

describe("rebuild on Dataflow", function () {
  this.timeout(300_000);
  const fixture = useBigQueryEmulator();
  const fakes = useFakeGoogle();
  let directory: string;
  let emulator: PubSubEmulator;
  let pubsub: PubSub;
  let jobs: SimulatedJobs;
  let dataset: string;
  let names: { topic: string; subscription: string };
  let count = 0;

  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "rebuild-dataflow-"));
    emulator = await startPubSubEmulator({ logFile: path.join(directory, "pubsub.log") });
    process.env.PUBSUB_EMULATOR_HOST = emulator.host;
    pubsub = pubSubClient({ project: fakes.google.project });
    jobs = new SimulatedJobs(fakes.google, fixture.bigquery, emulator.host);
  });
  after(async () => {
    delete process.env.PUBSUB_EMULATOR_HOST;
    await pubsub.close();
    await emulator.stop();
    rmSync(directory, { recursive: true });
  });
  afterEach(() => jobs.stop());

  /** A dataset with numbers that a job computes: generation 1. */
  async function begin(events = 300): Promise<void> {
    await jobs.stop();
    fakes.google.reset();
    dataset = await fixture.freshDataset();
    names = { topic: `events-${++count}`, subscription: `pipeline-${count}` };
    await setUpPubSub(pubsub, names);
    const replay = replaySubscription(names.subscription, 1);
    const settings = generationSettings(OLD_GAP_MS, "00112233445566778899aabbccddeeff");
    await recordGeneration(fixture.bigquery, dataset, settings, {
      ...{ subscription: names.subscription, replayTopic: `${names.topic}-replay-g1`, replaySubscription: replay },
    });
    const definition: JobDefinition = {
      ...{ generation: 1, subscription: names.subscription, replaySubscription: replay, sessionGapMs: OLD_GAP_MS },
    };
    const { id } = fakes.google.dataflow.add({ name: "eventlogger", definition });
    await recordJob(fixture.bigquery, dataset, 1, { runner: "dataflow", region: fakes.google.region, name: "eventlogger", id });
    jobs.start(() => dataset);
    await publish(events);
  }

  /** Publishes events of some days, as ingest does. */
  async function publish(events: number): Promise<void> {
    const random = createRandom(events);
    const topic = pubsub.topic(names.topic);
    const now = Date.now();
    await Promise.all(
      Array.from({ length: events }, async (_, i) => {
        const message = encodeMessage(
          event({
            ...{ event_id: `e${events}-${i}`, session_id: `s${random.int(20)}`, user_id: `u${random.int(30)}` },
            ...{ event_time: now - random.int(3 * 86_400_000), received_at: now },
          }),
        );
        await topic.publishMessage({ data: message.data, attributes: message.attributes });
      }),
    );
  }

  /** What the commands call: real clients, whose calls `inject` sees. */
  function services(inject: Inject = () => {}): RebuildServices {
    const { google } = fakes;
    const api = new GoogleApi(google.project, []);
    const dataflow = new DataflowJobs(api, { project: google.project, region: google.region, endpoint: google.endpoint });
    const series = new TimeSeries(api, { project: google.project, endpoint: google.endpoint });
    const driver: DataflowDriverOptions = {
      jobs: injecting("jobs", dataflow, inject),
      progress: injecting("progress", new SubscriptionProgress(series, { settleMs: 0, roundingMs: 0 }), inject),
      region: google.region,
      jobName: (generation) => (generation === 1 ? "eventlogger" : `eventlogger-g${generation}`),
      preflight: async () => {},
      submit: async (generation) => {
        inject("submit", "before");
        const id = await submit(api, generation);
        inject("submit", "after");
        return id;
      },
      read: (generation) => readGeneration(fixture.bigquery, dataset, generation),
      recordJob: async (generation, job) => {
        inject("recordJob", "before");
        await recordJob(fixture.bigquery, dataset, generation, job);
        inject("recordJob", "after");
      },
      ...{ pollMs: 20, observeMs: 0 },
    };
    return {
      driver: new DataflowDriver(driver),
      store: injecting("store", bigQueryStore(fixture.bigquery, dataset), inject),
      resources: injecting("resources", pubsubResources(pubsub, names, 300), inject, ["names"]),
      rows: injecting("rows", eventRows(fixture.bigquery, dataset, pubsub, 0), inject),
      verifier: injecting("verifier", sqlVerifier(fixture.bigquery, dataset), inject),
    };
  }

  /** Creates a job at the fake API, as Beam's submitter does. */
  async function submit(api: GoogleApi, { generation, subscription, replaySubscription: replay, settings }: Generation): Promise<string> {
    const { project, region, endpoint } = fakes.google;
    const definition = { generation, subscription, replaySubscription: replay, sessionGapMs: settings.sessionGapMs };
    const { id } = await api.json<{ id: string }>({
      what: "Cannot create the job",
      url: `${endpoint}/v1b3/projects/${project}/locations/${region}/jobs`,
      method: "POST",
      body: { name: `eventlogger-g${generation}`, clientRequestId: String(Math.random()), definition },
    });
    return id;
  }

  const start = (inject?: Inject, wanted: { takeOver?: boolean; keepOld?: boolean } = {}): Promise<RebuildResult> =>
    rebuild({
      services: services(inject),
      wanted: { sessionGapMs: NEW_GAP_MS, timeZone: undefined, from: undefined, keepOld: undefined, takeOver: undefined, ...wanted },
      newState: () => ({ shardHashSecret: "ff112233445566778899aabbccddeeff", stateFormat: 2 }),
      report: SILENT,
      signal: never,
      times: TIMES,
    });

  /** Repeats the command until it succeeds, as a person would. @returns the errors of the attempts that failed */
  async function startUntilDone(inject: Inject): Promise<string[]> {
    const errors: string[] = [];
    for (;;) {
      try {
        await start(inject);
        return errors;
      } catch (error) {
        if (error instanceof RebuildRunningError) {
          await new Promise((resolve) => setTimeout(resolve, 200));
          continue;
        }
        if (!(error instanceof InjectedError)) throw error;
        errors.push(error.message);
      }
    }
  }

  async function assertRebuilt(): Promise<void> {
    const [first, second, ...others] = await readGenerations(fixture.bigquery, dataset);
    assert.ok(first && second && others.length === 0);
    assert.deepEqual([first.status, second.status, second.rebuild], ["retired", "active", null]);
    const [subscriptions] = await pubsub.getSubscriptions();
    const own = subscriptions.map(({ name }) => name.split("/").at(-1) ?? "").filter((name) => name.startsWith(`${names.subscription}`));
    const live = liveSubscription(names.subscription, 2);
    assert.deepEqual(own.sort(), [live, replaySubscription(names.subscription, 2)].sort());
    // One job for each generation was ever created, and the second one runs.
    const { jobs: all } = fakes.google.dataflow;
    assert.deepEqual(
      all.map(({ name, currentState }) => `${name} ${currentState}`),
      ["eventlogger JOB_STATE_CANCELLED", "eventlogger-g2 JOB_STATE_RUNNING"],
    );
    assert.deepEqual(second.job, { runner: "dataflow", region: fakes.google.region, name: "eventlogger-g2", id: all[1]?.id });
    const { differences, equalDays } = await verifyDataset(fixture.bigquery, { dataset, gapMs: NEW_GAP_MS });
    assert.deepEqual(differences, []);
    assert.ok(equalDays >= 3);
  }

  it("starts a second job, replays the rows into it, switches readers, cancels the old job and removes its subscriptions", async () => {
    await begin();
    const calls: string[] = [];
    const began = performance.now();
    await start((name, when) => void (when === "before" && calls.push(name)));
    console.log(`      ${calls.length} calls in ${Math.round(performance.now() - began)} ms`, [...new Set(calls)].join(" "));
    await publish(50);
    await assertRebuilt();
    const order = (name: string): number => {
      const found = calls.lastIndexOf(name);
      assert.notEqual(found, -1, name);
      return found;
    };
    const steps = [
      ...["store.create", "resources.createLive", "resources.createReplay", "submit", "rows.replay", "verifier.compare"],
      ...["store.activate", "jobs.cancel", "resources.forwardBacklog", "resources.deleteLive", "resources.deleteReplay"],
    ];
    assert.deepEqual([...steps].sort((a, b) => order(a) - order(b)), steps);
    const [left] = await runQuery(fixture.bigquery, `SELECT COUNT(*) AS n FROM ${dataset}.daily_rollups`);
    assert.ok((left?.number("n") ?? 0) >= 3);
  });
});
