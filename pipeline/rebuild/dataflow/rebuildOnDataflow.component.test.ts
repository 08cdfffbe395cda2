import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { PubSub } from "@google-cloud/pubsub";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import {
  readGeneration,
  readGenerations,
  recordGeneration,
  recordJob,
  type Generation,
} from "@eventlogger/gcp/bigquery/generations";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { verifyDataset } from "@eventlogger/gcp/bigquery/verify/verify";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { TimeSeries } from "@eventlogger/gcp/monitoring/timeSeries";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { liveSubscription, replaySubscription } from "@eventlogger/gcp/pubsub/replayNames";
import { setUpPubSub } from "@eventlogger/gcp/pubsub/setup/setUpPubSub";
import { waitUntil } from "@eventlogger/process/wait";
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
import { DataflowDriver, JobEndedError, type DataflowDriverOptions } from "./dataflowDriver";
import { SubscriptionProgress } from "./publishedUntil";
import { SimulatedJobs, type JobDefinition } from "./testing/simulatedJobs";

const OLD_GAP_MS = 30 * 60_000;
const NEW_GAP_MS = 5 * 60_000;
const TIMES: Partial<RebuildTimes> = {
  ...{ leaseMs: 300, renewMs: 60_000, pollMs: 20, recordMs: 0, clockSkewMs: 0, receiverSkewMs: 60_000 },
  ...{ previousLimitMs: 20_000, progressLimitMs: 20_000, compareMs: 50, settleMs: 100, verifyLimitMs: 20_000 },
};
const SILENT: RebuildReporter = { phase: () => {}, say: () => {}, doing: () => {}, rows: () => {} };
const never = new AbortController().signal;

/** A call of the rebuild to a service: fails before it, or after it as if its answer was lost. */
class InjectedError extends Error {}
/** Calls that change something. */
const EFFECTS = /^(store\.(create|replace|activate)|resources\.|rows\.replay|submit|recordJob|jobs\.cancel)/;
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

describe("rebuild on Dataflow", () => {
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
    await recordJob(fixture.bigquery, dataset, 1, {
      runner: "dataflow",
      region: fakes.google.region,
      name: "eventlogger",
      id,
    });
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
    const dataflow = new DataflowJobs(api, {
      project: google.project,
      region: google.region,
      endpoint: google.endpoint,
    });
    const series = new TimeSeries(api, { project: google.project, endpoint: google.endpoint });
    const driver: DataflowDriverOptions = {
      jobsIn: () => injecting("jobs", dataflow, inject),
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
  async function submit(
    api: GoogleApi,
    { generation, subscription, replaySubscription: replay, settings }: Generation,
  ): Promise<string> {
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

  const start = (
    inject?: Inject,
    wanted: { takeOver?: boolean } = {},
    report: Partial<RebuildReporter> = {},
  ): Promise<RebuildResult> =>
    rebuild({
      services: services(inject),
      wanted: {
        sessionGapMs: NEW_GAP_MS,
        timeZone: undefined,
        from: undefined,
        keepOld: undefined,
        takeOver: undefined,
        ...wanted,
      },
      newState: () => ({ shardHashSecret: "ff112233445566778899aabbccddeeff", stateFormat: 3 }),
      report: { ...SILENT, ...report },
      signal: never,
      times: TIMES,
    });

  async function rowsOf(): Promise<number> {
    const [row] = await runQuery(fixture.bigquery, `SELECT COUNT(DISTINCT event_id) AS n FROM ${dataset}.events`);
    return row?.number("n") ?? 0;
  }
  const until = async (isTrue: () => Promise<boolean>): Promise<void> =>
    void (await waitUntil("the jobs to process all messages", isTrue, { intervalMs: 50 }));

  async function assertRebuilt(): Promise<void> {
    const [first, second, ...others] = await readGenerations(fixture.bigquery, dataset);
    assert.ok(first && second && others.length === 0);
    assert.deepEqual([first.status, second.status, second.rebuild], ["retired", "active", null]);
    const [subscriptions] = await pubsub.getSubscriptions();
    const own = subscriptions
      .map(({ name }) => name.split("/").at(-1) ?? "")
      .filter((name) => name.startsWith(names.subscription));
    const live = liveSubscription(names.subscription, 2);
    assert.deepEqual(own.sort(), [live, replaySubscription(names.subscription, 2)].sort());
    // One job for each generation was ever created, and the second one runs.
    const { jobs: all } = fakes.google.dataflow;
    assert.deepEqual(
      all.map(({ name, currentState }) => `${name} ${currentState}`),
      ["eventlogger JOB_STATE_CANCELLED", "eventlogger-g2 JOB_STATE_RUNNING"],
    );
    assert.deepEqual(second.job, {
      runner: "dataflow",
      region: fakes.google.region,
      name: "eventlogger-g2",
      id: all[1]?.id,
    });
    const { differences, equalDays } = await verifyDataset(fixture.bigquery, { dataset, gapMs: NEW_GAP_MS });
    assert.deepEqual(differences, []);
    assert.ok(equalDays >= 3);
  }

  /** The names of the calls of a rebuild, in their order. */
  async function callsOf(run: (inject: Inject) => Promise<unknown>): Promise<string[]> {
    const calls: string[] = [];
    await run((name, when) => void (when === "before" && calls.push(name)));
    return calls;
  }

  it("starts a second job, replays the rows into it, switches readers, cancels the old job and removes its subscriptions", async () => {
    await begin();
    const calls = await callsOf(start);
    await assertRebuilt();
    const steps = [
      ...[
        "store.create",
        "resources.createLive",
        "resources.createReplay",
        "submit",
        "rows.replay",
        "verifier.compare",
      ],
      ...[
        "store.activate",
        "jobs.cancel",
        "resources.forwardBacklog",
        "resources.deleteLive",
        "resources.deleteReplay",
      ],
    ];
    const order = (name: string): number => calls.lastIndexOf(name);
    for (const step of steps) assert.notEqual(order(step), -1, step);
    assert.deepEqual(
      [...steps].sort((x, y) => order(x) - order(y)),
      steps,
    );
    assert.equal(calls.filter((name) => name === "submit").length, 1);
    assert.ok(!calls.includes("jobs.drain"));
  });

  it("the same command goes on after each of its calls has failed once, before it had an effect and after it", async () => {
    await begin(100);
    // Every kind of call fails at its first time, so that each attempt gets one call further. A call without an effect fails before it.
    const failed = new Set<string>();
    const errors: string[] = [];
    const failing: Inject = (name, when) => {
      const call = `${name} ${when}`;
      if (failed.has(call) || (when === "after" && !EFFECTS.test(name))) return;
      failed.add(call);
      throw new InjectedError(call);
    };
    for (let attempts = 0; ; attempts++) {
      assert.ok(attempts < 1000, "the rebuild ends");
      try {
        await start(failing);
        break;
      } catch (error) {
        if (error instanceof InjectedError) errors.push(error.message);
        else if (error instanceof RebuildRunningError) await new Promise((resolve) => setTimeout(resolve, 100));
        else throw error;
      }
    }
    for (const call of [
      "submit after",
      "recordJob before",
      "jobs.cancel after",
      "store.activate after",
      "resources.deleteLive before",
    ]) {
      assert.ok(errors.includes(call), `${call}: ${errors.join(", ")}`);
    }
    await assertRebuilt();
  });

  it("a job that another one has replaced in an update is followed", async () => {
    await begin(50);
    const [first] = fakes.google.dataflow.jobs;
    assert.ok(first);
    const replacement = fakes.google.dataflow.add({ name: "eventlogger", definition: first.definition });
    [first.currentState, first.replacedByJobId] = ["JOB_STATE_UPDATED", replacement.id];
    await start();
    assert.equal(replacement.currentState, "JOB_STATE_CANCELLED");
  });

  it("a new job that has ended is not started again, because its state is lost: --abort removes the generation and leaves the old one", async () => {
    await begin(50);
    const interrupted = start((name, when) => {
      if (name === "rows.replay" && when === "after") throw new InjectedError(name);
    });
    await assert.rejects(interrupted, InjectedError);
    const job = jobs.active(2)[0];
    assert.ok(job);
    job.currentState = "JOB_STATE_FAILED";
    await assert.rejects(
      start(),
      (error) => error instanceof JobEndedError && /is failed, .*rebuild --abort/s.test(error.message),
    );
    const aborted = await abortRebuild({ services: services(), report: SILENT, signal: never, times: TIMES });
    assert.deepEqual(aborted, { generation: 2, tookOver: false });
    const [first, second] = await readGenerations(fixture.bigquery, dataset);
    assert.deepEqual([first?.status, second?.status], ["active", "retired"]);
    assert.equal(jobs.active(1).length, 1);
    // And the next rebuild is generation 3.
    await start();
    assert.equal((await readGenerations(fixture.bigquery, dataset)).at(-1)?.status, "active");
    assert.equal(jobs.active(3).length, 1);
  });

  it("--abort cancels the new job, but drains it with --take-over, because nobody else gets what it has acknowledged", async () => {
    for (const [takeOver, state] of [
      [false, "JOB_STATE_CANCELLED"],
      [true, "JOB_STATE_DRAINED"],
    ] as const) {
      await begin(50);
      if (takeOver) {
        await until(async () => (await rowsOf()) === 50);
        for (const job of jobs.active(1)) job.currentState = "JOB_STATE_FAILED";
      }
      const interrupted = start(
        (name, when) => {
          if (name === "rows.replay" && when === "after") throw new InjectedError(name);
        },
        { takeOver },
      );
      await assert.rejects(interrupted, InjectedError);
      const job = jobs.active(2)[0];
      await abortRebuild({ services: services(), report: SILENT, signal: never, times: TIMES });
      assert.equal(job?.currentState, state);
      const [exists] = await pubsub.subscription(names.subscription).exists();
      assert.ok(exists);
    }
  });

  it("--take-over computes the numbers after the job and its state are lost, and reads what the lost job has left", async () => {
    await begin(100);
    await until(async () => (await rowsOf()) === 100);
    for (const job of jobs.active(1)) job.currentState = "JOB_STATE_CANCELLED";
    await publish(30);
    await start(undefined, { takeOver: true });
    await until(async () => (await rowsOf()) === 130);
    const active = (await readGenerations(fixture.bigquery, dataset)).find(({ status }) => status === "active");
    assert.deepEqual([active?.generation, active?.subscription], [2, names.subscription]);
    const { differences } = await verifyDataset(fixture.bigquery, { dataset, gapMs: NEW_GAP_MS });
    assert.deepEqual(differences, []);
  });
});
