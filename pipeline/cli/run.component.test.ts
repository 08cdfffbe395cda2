import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import type { PubSub } from "@google-cloud/pubsub";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { readDailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import { activateGeneration, createGeneration, readGenerations } from "@eventlogger/gcp/bigquery/generations";
import { startRecordingProxy, type RecordingProxy } from "@eventlogger/gcp/bigquery/testing/recordingProxy";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { liveSubscription, replayNames } from "@eventlogger/gcp/pubsub/replayNames";
import { setUpReplay } from "@eventlogger/gcp/pubsub/setup/setUpReplay";
import { setUpSubscription } from "@eventlogger/gcp/pubsub/setup/subscription";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { isRunning, type ProcessIdentity } from "@eventlogger/process/processIdentity";
import { waitUntil } from "@eventlogger/process/wait";
import type { RunProgressFile } from "../monitoring/progressFile";
import { stateDirectoryOf } from "../runners/flink/generationDirectory";
import { STATE_FORMAT } from "../shards";
import { skipAfterFailure } from "@eventlogger/process/testing/skipAfterFailure";
import { eventlogger } from "./testing/eventlogger";

/** Occurs in every id and text of the events, so that any part of an event in a log is found. */
const MARKER = "hypatia";
const WAIT = { timeoutMs: 300_000, intervalMs: 200 };

describe("a running eventlogger run", function () {
  this.timeout(600_000);
  skipAfterFailure(); // the tests share one run
  const bigquery = useBigQueryEmulator();
  let directory: string;
  let stateDir: string;
  let isMounted = false;
  let pubsub: PubSubEmulator;
  let client: PubSub;
  let proxy: RecordingProxy;
  let run: ChildProcess;
  let port: number;
  let url: string;

  async function startRun(...args: string[]): Promise<void> {
    const bin = path.join(packageRootOf(__filename), "bin", "eventlogger.js");
    run = await startChildProcess({
      name: "eventlogger run",
      command: process.execPath,
      args: [
        ...[bin, "run", "--state-dir", stateDir, "--metrics-port", String(port)],
        // After a start, a run knows for as long as a lease lasts nothing of messages that another one may have left.
        ...["--checkpoint-interval", "1s", "--ack-deadline", "10s", "--heap", "512m", ...args],
      ],
      env: { PUBSUB_EMULATOR_HOST: pubsub.host, BIGQUERY_ENDPOINT: proxy.url },
      logFile: path.join(directory, "run.log"),
    });
  }

  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "run-"));
    stateDir = path.join(directory, "state");
    mkdirSync(path.join(stateDir, "logs"), { recursive: true });
    try {
      // A small disk of its own, which a test fills.
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256m,mode=755", "tmpfs", stateDir], { stdio: "ignore" });
      isMounted = true;
    } catch {
      // Only root can mount.
    }
    // A folder of an earlier release, which others can read.
    mkdirSync(path.join(stateDir, "logs"), { recursive: true });
    writeFileSync(path.join(stateDir, "logs", "workers.log"), "earlier\n");
    for (const [name, mode] of Object.entries({ "": 0o755, logs: 0o755, "logs/workers.log": 0o644 })) {
      chmodSync(path.join(stateDir, name), mode);
    }
    pubsub = await startPubSubEmulator({ logFile: path.join(directory, "pubsub.log") });
    proxy = await startRecordingProxy(bigquery.emulator.url);
    const env = { PUBSUB_EMULATOR_HOST: pubsub.host, BIGQUERY_ENDPOINT: proxy.url };
    process.env["PUBSUB_EMULATOR_HOST"] = pubsub.host;
    client = pubSubClient({ project: bigquery.project });
    const setup = await eventlogger(["setup", "--schema", "none"], { env });
    assert.equal(setup.code, 0, setup.stderr);
    port = await freePort();
    url = `http://127.0.0.1:${port}`;
    await startRun();
  });
  after(async () => {
    await run?.stop(15_000);
    delete process.env["PUBSUB_EMULATOR_HOST"];
    await client?.close();
    await proxy?.stop();
    await pubsub?.stop();
    if (isMounted) execFileSync("umount", [stateDir]);
    rmSync(directory, { recursive: true, force: true });
  });

  const output = (): string => readFileSync(path.join(directory, "run.log"), "utf8");
  const logs = (): string =>
    ["workers.log", "job-server.log"].map((name) => readFileSync(path.join(stateDir, "logs", name), "utf8")).join("");
  const workers = (generation: number): ProcessIdentity[] => {
    const file = path.join(stateDirectoryOf(stateDir, generation), "processes.json");
    return (JSON.parse(readFileSync(file, "utf8")) as { children: ProcessIdentity[] }).children.slice(1);
  };
  async function status(page: string): Promise<number> {
    const response = await fetch(url + page).catch(() => undefined);
    return response?.status ?? 0;
  }
  async function metrics(): Promise<ReadonlyMap<string, number>> {
    const text = await (await fetch(`${url}/metrics`)).text();
    const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(samples.map((line) => [line.replace(/ .*/, ""), Number(line.replace(/.* /, ""))]));
  }
  const metric = async (name: string): Promise<number> => (await metrics()).get(`pipeline_${name}`) ?? NaN;
  const untilMetric = (name: string, min: number): Promise<unknown> =>
    waitUntil(`pipeline_${name} to be at least ${min}`, async () => (await metric(name)) >= min, {
      ...WAIT,
      details: output,
    });
  async function publish(count: number): Promise<void> {
    const topic = client.topic("events");
    const one = (n: number): Promise<string> => {
      const ids = { event_id: `${MARKER}-e-${n}`, session_id: `${MARKER}-s-${n}`, user_id: `${MARKER}-u-${n}` };
      const { data, attributes } = encodeMessage(event({ ...ids, page: `/${MARKER}`, event_time: Date.now() }));
      return topic.publishMessage({ data, attributes });
    };
    await Promise.all(Array.from({ length: count }, (_, n) => one(n)));
  }

  it("answers health checks, is ready after its first bundle, and counts in its metrics", async () => {
    await waitUntil("/healthz to answer", async () => (await status("/healthz")) === 200, WAIT);
    await publish(50);
    await waitUntil("/readyz to answer 200", async () => (await status("/readyz")) === 200, {
      ...WAIT,
      details: output,
    });
    assert.match(output(), new RegExp(`metrics on ${url}/metrics`));
    await untilMetric("events_total", 50);
    await untilMetric("state_bytes", 1);
    const values = await metrics();
    assert((values.get("pipeline_message_bytes_total") ?? 0) > 50 * 100);
    assert((values.get("pipeline_bundles_total") ?? 0) > 0);
    assert((values.get("pipeline_checkpoint_age_seconds") ?? NaN) < 60);
    const oldest = "oldest_unacknowledged_message_age_seconds";
    await untilMetric("watermark_lag_seconds", 0);
    await untilMetric(oldest, 0);
    await waitUntil("all messages to be acknowledged", async () => (await metric(oldest)) === 0, WAIT);
    for (const name of ["job_restarts_total", "failed_bundles_total", "failed_checkpoints_total"]) {
      assert.equal(values.get(`pipeline_${name}`), 0, name);
    }
    // The clock of a virtual machine does step.
    assert.ok((values.get("pipeline_clock_steps_total") ?? -1) >= 0);
    assert.equal(await status("/"), 404);
    assert.equal((await fetch(url, { method: "POST" })).status, 405);
  });

  /** Waits until a checkpoint is completed: the age of the last one then decreases. */
  async function untilCheckpoint(): Promise<void> {
    let last = -Infinity;
    const isNew = async (): Promise<boolean> => {
      const before = last;
      last = await metric("checkpoint_age_seconds");
      return last < before;
    };
    await waitUntil("a checkpoint", isNew, { ...WAIT, details: output });
  }

  it("makes progress while it is idle, so that it is not stuck: it finishes bundles and completes checkpoints", async () => {
    const { bundles, events } = { bundles: await metric("bundles_total"), events: await metric("events_total") };
    await untilMetric("bundles_total", bundles + 1);
    await untilCheckpoint();
    await untilCheckpoint();
    assert.equal(await metric("events_total"), events);
  });

  it("makes its state, checkpoints and logs unreadable for other users, also those of an earlier release", async () => {
    const open = readdirSync(stateDir, { recursive: true, encoding: "utf8" })
      .concat("")
      .map((name) => ({ name, stats: lstatSync(path.join(stateDir, name), { throwIfNoEntry: false }) }))
      .filter(({ stats }) => stats && !stats.isSymbolicLink() && (stats.mode & 0o077) !== 0);
    assert.deepEqual(
      open.map(({ name }) => name),
      [],
    );
  });

  it("reports that BigQuery refuses all requests once with a count, recovers, and logs no data of events", async () => {
    await client.topic("events").publishMessage({ data: Buffer.from(`{"${MARKER}`) });
    await untilMetric("dead_letters_total", 1);
    // 403 ends an attempt at once. The answer repeats what was sent, as some proxies do.
    proxy.answer = ({ rows }) => {
      if (rows[0]?.json["session_id"] === undefined) return undefined;
      const message = `Forbidden: ${JSON.stringify(rows)}`;
      return { status: 403, body: { error: { code: 403, message, errors: [{ reason: "accessDenied", message }] } } };
    };
    await publish(20);
    await untilMetric("job_restarts_total", 2);
    // Then every row is refused, with an answer that quotes it.
    proxy.answer = ({ rows }) => ({
      status: 200,
      body: {
        kind: "bigquery#tableDataInsertAllResponse",
        insertErrors: rows.map(({ json }, index) => ({
          index,
          errors: [{ reason: "invalid", message: `Bad value: ${JSON.stringify(json)}` }],
        })),
      },
    });
    await waitUntil("the rows to be refused", () => /Bad value: /.test(logs()), { ...WAIT, details: output });
    proxy.answer = () => undefined;
    await waitUntil("the recovery", () => /recovered: .*a bundle failed \d+ times in/.test(output()), {
      ...WAIT,
      details: output,
    });
    const warnings = output().match(/^warning a bundle failed, and is tried again: .*$/gm) ?? [];
    assert.equal(warnings.length, 1, warnings.join("\n"));
    assert.match(warnings[0] ?? "", /Last answer: accessDenied: Forbidden: /, output());
    assert.doesNotMatch(logs(), new RegExp(MARKER));
    assert.doesNotMatch(output(), new RegExp(MARKER));
  });

  it("warns at once when the disk is full, and continues when there is room again", async function () {
    if (!isMounted) this.skip();
    const filler = path.join(stateDir, "filler");
    try {
      execFileSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"], { stdio: "ignore" });
    } catch {
      // It ends when there is no room.
    }
    await waitUntil("the warning", () => /warning the disk of .* is full: .*nothing is lost/.test(output()), WAIT);
    await publish(20);
    rmSync(filler);
    await waitUntil("the recovery", () => /the disk has room again/.test(output()), WAIT);
    await untilCheckpoint();
  });

  it("goes on with the next generation in its own state directory at once when that is activated, and tells up to when its messages are processed", async () => {
    const dataset = "analytics";
    const names = { topic: "events", subscription: "events-pipeline" };
    const subscription = liveSubscription(names.subscription, 2);
    await setUpSubscription(client, subscription, {
      topic: names.topic,
      retentionMs: 86_400_000,
      updateExisting: false,
    });
    await setUpReplay(client, { ...names, generation: 2 });
    const replay = replayNames(names, 2);
    await createGeneration(bigquery.bigquery, dataset, {
      settings: {
        sessionGapMs: 60_000,
        timeZone: "Asia/Tokyo",
        shardHashSecret: "0".repeat(32),
        stateFormat: STATE_FORMAT,
      },
      resources: () => ({ subscription, replayTopic: replay.topic, replaySubscription: replay.subscription }),
    });
    await activateGeneration(bigquery.bigquery, dataset, 2);
    writeFileSync(path.join(stateDir, "check-lease"), "");
    const running = /^running generation 2, reading events-pipeline-g2; /m;
    await waitUntil("generation 2 to run", () => running.test(output()), { ...WAIT, details: output });
    assert.match(
      output(),
      /generation 1 was retired; stopping its pipeline\n[^]*generation 2 is active now\n[^]*starting with empty state\n/,
    );
    const publishedAt = Date.now();
    await publish(20);
    const progress = path.join(stateDirectoryOf(stateDir, 2), "progress.json");
    const isProcessed = (): boolean => {
      const { publishedUntil } = JSON.parse(readFileSync(progress, "utf8")) as RunProgressFile;
      return [publishedUntil.live, publishedUntil.replay].every((time) => Date.parse(time ?? "") > publishedAt + 1000);
    };
    await waitUntil("all messages to be processed", isProcessed, {
      ...WAIT,
      details: () => readFileSync(progress, "utf8"),
    });
    const { days, definitions } = await readDailyRollups(bigquery.bigquery, dataset);
    assert.deepEqual(definitions, { generation: 2, timeZone: "Asia/Tokyo", sessionGapMs: 60_000 });
    assert.ok(days.reduce((sum, day) => sum + day.session_count, 0) >= 20);
    writeFileSync(path.join(stateDirectoryOf(stateDir, 2), "check-lease"), "");
    await waitUntil(
      "the watermark of generation 2 in the table",
      async () => Date.parse((await readDailyRollups(bigquery.bigquery, dataset)).watermark ?? "") > publishedAt + 1000,
      WAIT,
    );
    const [first, second] = await readGenerations(bigquery.bigquery, dataset);
    assert.equal(first?.lease, null, "the lease of generation 1 was released");
    assert.equal(second?.lease?.holder, `${hostname()}:${run.pid}`);
    assert.notEqual(second?.state?.state, first?.state?.state);
  });

  it("ends with exit code 3 and the reason when its worker hangs, and leaves no process behind", async () => {
    assert.equal((await run.stop(15_000)).code, 0, output());
    const before = output().length;
    await startRun("--stuck-after", "10s");
    await waitUntil("the start", () => /^running /m.test(output().slice(before)), { ...WAIT, details: output });
    const hung = workers(2);
    assert(hung.length > 0);
    for (const { pid } of hung) process.kill(pid, "SIGSTOP");
    const { code } = await run.exited;
    assert.equal(code, 3, output());
    assert.match(
      output(),
      /error: The pipeline is stuck: no (bundle was finished|checkpoint was completed) for \d+ s \(since /,
    );
    assert.match(output(), /The next run resumes from the last checkpoint/);
    assert.deepEqual(hung.filter(isRunning), []);
  });
});
