import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path = require("node:path");
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@eventlogger/process/ports";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { startStack, type Stack } from "@eventlogger/local/stack/stack";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { isRunning, type ProcessIdentity } from "@eventlogger/process/processIdentity";
import {
  assertOnlyLoopback,
  listeningSockets,
  skipUnlessSocketsAreListed,
} from "@eventlogger/beam/testing/listeningSockets";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { Traffic } from "./traffic";

const BIN = path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js");
const PROJECT = "demo-project";
/**
 * How long numbers are waited for after something was killed. That they come is what is tested; how long it takes depends on
 * what else the machine does, and is printed.
 */
const RECOVERS_WITHIN_MS = 180_000;
const STARTS_WITHIN_MS = 120_000;

/** The stack, with a pipeline that the test starts, kills and starts again. */
describe("end to end: the rollups are exact", function () {
  this.timeout(500_000);
  this.bail(true); // each test adds to the data of the one before
  const directory = mkdtempSync(path.join(tmpdir(), "eventlogger-e2e-"));
  const stateDir = path.join(directory, "state");
  const runLog = path.join(directory, "run.log");
  let stack: Stack;
  let traffic: Traffic;
  let run: ChildProcess;

  async function startRun(): Promise<void> {
    run = await startChildProcess({
      name: "eventlogger run",
      command: process.execPath,
      args: [BIN, "run", "--state-dir", stateDir],
      env: stack.environment,
      logFile: runLog,
    });
  }

  async function untilRunning(): Promise<void> {
    const deadline = Date.now() + STARTS_WITHIN_MS;
    while (!/^running /m.test(run.logTail(50))) {
      if (!run.running || Date.now() > deadline) throw new Error(`the pipeline does not start:\n${run.logTail(50)}`);
      await sleep(200);
    }
  }

  function processes(): { launcher: ProcessIdentity; children: ProcessIdentity[] } {
    return JSON.parse(readFileSync(path.join(stateDir, "processes.json"), "utf8")) as ReturnType<typeof processes>;
  }

  before(async () => {
    stack = await startStack({ port: await freePort(), localDir: path.join(directory, "local"), pipeline: false });
    traffic = new Traffic(stack.url);
    process.env["PUBSUB_EMULATOR_HOST"] = stack.environment.PUBSUB_EMULATOR_HOST;
    await startRun();
    await untilRunning();
  });

  after(async () => {
    await run?.stop(15_000);
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

  it("whatever the order, age and duplication of 20,000 events", async () => {
    await traffic.post({ shuffleWindow: 20_000 });
    await traffic.assertExact();
    await assertVerified();
    const { daily_stats } = await traffic.rollups();
    assert.equal(daily_stats.length, 6);
    assert.match(daily_stats[0]?.date ?? "", /\/2020$/);
  });

  it("all ports of run, ingest, nginx and the emulators are on loopback only", function () {
    skipUnlessSocketsAreListed(this);
    const { PUBSUB_EMULATOR_HOST, BIGQUERY_ENDPOINT } = stack.environment;
    const ports = [stack.url, `http://${PUBSUB_EMULATOR_HOST}`, BIGQUERY_ENDPOINT].map((url) =>
      Number(new URL(url).port),
    );
    // This process started everything.
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

  it("when the worker is killed half-way, and late events join sessions that were counted", async () => {
    await traffic.post({ seed: 2, shuffleWindow: 500, lateBy: 20_000 }, async () => {
      const workers = processes().children.slice(1);
      assert(workers.length > 0, "there is a worker");
      for (const { pid } of workers) process.kill(pid, "SIGKILL");
    });
    await traffic.assertExact(RECOVERS_WITHIN_MS);
    await assertVerified();
    assert.match(readFileSync(runLog, "utf8"), /was killed by SIGKILL; Flink starts the job again/);
  });

  it("when launcher, job server and worker are killed half-way and run is started again", async () => {
    await traffic.post({ seed: 3, shuffleWindow: 2000 }, async () => {
      const { launcher, children } = processes();
      assert(children.length >= 2, "there are a job server and a worker");
      for (const { pid } of [launcher, ...children]) process.kill(pid, "SIGKILL");
      await run.exited;
      await startRun();
    });
    await traffic.assertExact(RECOVERS_WITHIN_MS);
    await assertVerified();
    assert.match(readFileSync(runLog, "utf8"), /resuming from checkpoint \d+/);
  });

  it("when only the launcher is killed: the next run ends what it left", async () => {
    await traffic.post({ seed: 4, count: 2000, users: 500 }, async () => {
      const { launcher } = processes();
      process.kill(launcher.pid, "SIGKILL");
      await run.exited;
      await startRun();
    });
    await traffic.assertExact(RECOVERS_WITHIN_MS);
    await assertVerified();
  });

  it("when BigQuery and Pub/Sub do not answer for a while under load", async () => {
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
    // Clients wait longer and longer between attempts to reach a service that is away.
    await traffic.assertExact(RECOVERS_WITHIN_MS);
    await assertVerified();
  });

  it("and messages that are no events become dead letters while the pipeline goes on", async () => {
    const pubsub = pubSubClient({ project: PROJECT });
    const topic = pubsub.topic("events");
    // As a topic whose schema was taken off, or that never had one: with it, they are refused.
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

  it("and a stop by SIGTERM ends everything that run started, and the next run goes on", async () => {
    const { children } = processes();
    const { code } = await run.stop(15_000);
    assert.equal(code, 0, run.logTail());
    assert.deepEqual(children.filter(isRunning), []);
    const before = readFileSync(runLog, "utf8").length;
    await startRun();
    await traffic.post({ seed: 7, count: 500, users: 100 });
    await traffic.assertExact(RECOVERS_WITHIN_MS);
    await assertVerified();
    assert.match(readFileSync(runLog, "utf8").slice(before), /resuming from checkpoint \d+/);
  });

  it("and a stop while it starts leaves no process behind, either", async () => {
    await run.stop(15_000);
    await startRun();
    const started = Date.now();
    const children = (): ProcessIdentity[] =>
      existsSync(path.join(stateDir, "processes.json")) ? processes().children : [];
    while (children().length === 0) {
      assert(Date.now() - started < STARTS_WITHIN_MS, "the job server is started");
      await sleep(20);
    }
    const left = children();
    process.kill(run.pid, "SIGTERM");
    const { code } = await run.exited;
    assert.equal(code, 0, run.logTail());
    assert.deepEqual(left.filter(isRunning), []);
  });
});
