import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@eventlogger/process/ports";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { startStack, type Stack } from "@eventlogger/local/stack/stack";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { awaitReady } from "@eventlogger/process/readiness";
import { waitUntil } from "@eventlogger/process/wait";
import { isRunning, type ProcessIdentity } from "@eventlogger/process/processIdentity";
import {
  assertOnlyLoopback,
  listeningSockets,
  skipUnlessSocketsAreListed,
} from "@eventlogger/beam/testing/listeningSockets";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { startGrpcFaultProxy, type GrpcFaultProxy } from "../faults/rig/grpcFaultProxy";
import { Traffic } from "./traffic";

const BIN = path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js");
const PROJECT = "demo-project";
/** Time for the numbers to be exact after a kill, ms. It is printed; how long it takes depends on the load of the machine. */
const RECOVERY_LIMIT_MS = 240_000;
const START_LIMIT_MS = 180_000;

/** Runs the local stack, with a pipeline that the tests start, kill and restart. */
describe("End to end", function () {
  this.timeout(600_000);
  this.bail(true); // each test adds to the data of the one before
  const directory = mkdtempSync(path.join(tmpdir(), "eventlogger-e2e-"));
  const stateDir = path.join(directory, "state");
  const runLog = path.join(directory, "run.log");
  let stack: Stack;
  let traffic: Traffic;
  let run: ChildProcess;
  /** Between the pipeline and Pub/Sub. */
  let pubsubCalls: GrpcFaultProxy;

  async function startRun(): Promise<void> {
    run = await startChildProcess({
      name: "eventlogger run",
      command: process.execPath,
      // A short lease: after a kill, the tests wait for the redelivery.
      args: [BIN, "run", "--state-dir", stateDir, "--ack-deadline", "12s"],
      env: { ...stack.environment, PUBSUB_EMULATOR_HOST: pubsubCalls.host },
      logFile: runLog,
    });
  }

  async function untilRunning(): Promise<void> {
    await awaitReady(run, () => /^running /m.test(run.logTail(50)), START_LIMIT_MS);
  }

  function processes(): { launcher: ProcessIdentity; children: ProcessIdentity[] } {
    return JSON.parse(readFileSync(path.join(stateDir, "processes.json"), "utf8")) as ReturnType<typeof processes>;
  }

  before(async () => {
    stack = await startStack({ port: await freePort(), localDir: path.join(directory, "local"), pipeline: false });
    traffic = new Traffic(stack.url);
    process.env["PUBSUB_EMULATOR_HOST"] = stack.environment.PUBSUB_EMULATOR_HOST;
    pubsubCalls = await startGrpcFaultProxy(stack.environment.PUBSUB_EMULATOR_HOST);
    await startRun();
    await untilRunning();
  });

  after(async () => {
    await run?.stop(15_000);
    await pubsubCalls?.stop();
    await stack?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  async function assertVerified(): Promise<void> {
    const result = await new Promise<{ code: number; output: string }>((resolve) => {
      const child = execFile(
        process.execPath,
        [BIN, "verify"],
        { env: { ...process.env, ...stack.environment } },
        (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
      );
    });
    assert.equal(result.code, 0, result.output);
    assert.match(result.output, /\d+ days equal/);
  }

  it("the rollups are exact for 20,000 events of any order and age, with duplicates", async () => {
    await traffic.post({ shuffleWindow: 20_000 });
    await traffic.assertExact();
    await assertVerified();
    const { daily_stats } = await traffic.rollups();
    assert.equal(daily_stats.length, 6);
    assert.match(daily_stats[0]?.date ?? "", /\/2020$/);
  });

  it("run, ingest, nginx and the emulators listen on loopback only", function () {
    skipUnlessSocketsAreListed(this);
    const { PUBSUB_EMULATOR_HOST, BIGQUERY_ENDPOINT } = stack.environment;
    const ports = [stack.url, `http://${PUBSUB_EMULATOR_HOST}`, BIGQUERY_ENDPOINT].map((url) =>
      Number(new URL(url).port),
    );
    // This process has started everything.
    assertOnlyLoopback(process.pid, ports);
    const jobServer = processes().children[0]?.pid;
    const ofRun = listeningSockets(run.pid);
    assert(
      ofRun.filter(({ pid }) => pid === jobServer).length >= 10,
      "the job server and its worker's services listen",
    );
    assert(
      ofRun.some(({ pid }) => pid === run.pid),
      "the worker pool listens",
    );
  });

  it("the rollups are exact after the worker was killed half-way, and when old events extend counted sessions", async () => {
    await traffic.post({ seed: 2, shuffleWindow: 500, lateBy: 20_000 }, async () => {
      const workers = processes().children.slice(1);
      assert(workers.length > 0, "a worker is running");
      for (const { pid } of workers) process.kill(pid, "SIGKILL");
    });
    await traffic.assertExact(RECOVERY_LIMIT_MS);
    await assertVerified();
    assert.match(readFileSync(runLog, "utf8"), /was killed by SIGKILL; Flink starts the job again/);
  });

  it("the rollups are exact after launcher, job server and worker were killed half-way and run was restarted", async () => {
    await traffic.post({ seed: 3, shuffleWindow: 2000 }, async () => {
      const { launcher, children } = processes();
      assert(children.length >= 2, "a job server and a worker are running");
      for (const { pid } of [launcher, ...children]) process.kill(pid, "SIGKILL");
      await run.exited;
      await startRun();
    });
    await traffic.assertExact(RECOVERY_LIMIT_MS);
    await assertVerified();
    assert.match(readFileSync(runLog, "utf8"), /resuming from checkpoint \d+/);
  });

  it("the rollups are exact after only the launcher was killed, and the next run stops its leftovers", async () => {
    await traffic.post({ seed: 4, count: 2000, users: 500 }, async () => {
      const { launcher } = processes();
      process.kill(launcher.pid, "SIGKILL");
      await run.exited;
      await startRun();
    });
    await traffic.assertExact(RECOVERY_LIMIT_MS);
    await assertVerified();
  });

  it("the rollups are exact after BigQuery and Pub/Sub did not answer for a while under load", async () => {
    const { "BigQuery emulator": bigquery, "Pub/Sub emulator": pubsub } = stack.pids();
    assert(bigquery && pubsub);
    await traffic.post({ seed: 5, count: 4000, users: 500 }, async () => {
      process.kill(bigquery, "SIGSTOP");
      await sleep(5000);
      process.kill(pubsub, "SIGSTOP");
      await sleep(15_000);
      process.kill(bigquery, "SIGCONT");
      process.kill(pubsub, "SIGCONT");
    });
    // Clients back off while a service does not answer.
    await traffic.assertExact(RECOVERY_LIMIT_MS);
    await assertVerified();
  });

  it("the rollups are exact after calls of the pipeline to Pub/Sub failed, timed out or lost their answers, and its streams broke", async () => {
    const { faults } = pubsubCalls;
    faults.set({ share: 0.3, kinds: ["error", "no answer", "answer lost"], only: /Acknowledge|ModifyAckDeadline/ });
    try {
      await traffic.post({ seed: 10, count: 2000, users: 300 }, async () => pubsubCalls.breakStreams());
      await waitUntil("calls with each fault", () => faults.total >= 3, { timeoutMs: 60_000 });
    } finally {
      faults.set();
    }
    await traffic.assertExact(RECOVERY_LIMIT_MS);
    await assertVerified();
  });

  it("messages that are not events become dead letters, and the pipeline continues", async () => {
    const pubsub = pubSubClient({ project: PROJECT });
    const topic = pubsub.topic("events");
    // Like a topic without a schema: with the schema, Pub/Sub refuses these messages.
    await assert.rejects(topic.publishMessage({ data: Buffer.from("{not json") }), { code: 3 });
    await topic.setMetadata({ schemaSettings: null });
    const garbage = [Buffer.from([0xff, 0xfe, 0x00]), Buffer.from("{not json"), Buffer.from('{"type":"event"}')];
    await Promise.all(garbage.map((data) => topic.publishMessage({ data })));
    await pubsub.close();
    await traffic.post({ seed: 6, count: 500, users: 100 });
    await traffic.assertExact();
    const bigquery = bigQueryClient({ project: PROJECT, endpoint: stack.environment.BIGQUERY_ENDPOINT });
    const query =
      "SELECT DISTINCT error_type, error_message, payload, payload_encoding FROM analytics.dead_letters ORDER BY error_type";
    const [job] = await bigquery.createQueryJob({ query });
    const [rows] = (await job.getQueryResults()) as [Record<string, string>[], ...unknown[]];
    const brief = rows.map((r) => [r["error_type"], r["payload_encoding"], r["payload"]]);
    assert.deepEqual(brief, [
      ["invalid_event", "utf8", '{"type":"event"}'],
      ["not_json", "utf8", "{not json"],
      ["not_utf8", "base64", Buffer.from([0xff, 0xfe, 0x00]).toString("base64")],
    ]);
    assert.match(rows[0]?.["error_message"] ?? "", /session_id is required/);
  });

  it("SIGTERM stops everything that run has started, and the next run resumes from the checkpoint", async () => {
    const { children } = processes();
    const { code } = await run.stop(15_000);
    assert.equal(code, 0, run.logTail());
    assert.deepEqual(children.filter(isRunning), []);
    const before = readFileSync(runLog, "utf8").length;
    await startRun();
    await traffic.post({ seed: 7, count: 500, users: 100 });
    await traffic.assertExact(RECOVERY_LIMIT_MS);
    await assertVerified();
    assert.match(readFileSync(runLog, "utf8").slice(before), /resuming from checkpoint \d+/);
  });

  it("SIGTERM while run starts leaves no process behind", async () => {
    await run.stop(15_000);
    await startRun();
    const startedChildren = (): ProcessIdentity[] | undefined => {
      const children = existsSync(path.join(stateDir, "processes.json")) ? processes().children : [];
      return children.length > 0 ? children : undefined;
    };
    const limit = { timeoutMs: START_LIMIT_MS, intervalMs: 20 };
    const left = await waitUntil("the job server to be started", startedChildren, limit);
    process.kill(run.pid, "SIGTERM");
    const { code } = await run.exited;
    assert.equal(code, 0, run.logTail());
    assert.deepEqual(left.filter(isRunning), []);
  });
});
