import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BreakdownAnswer } from "@eventlogger/ingest/routes/getBreakdowns";
import type { BigQuery } from "@google-cloud/bigquery";
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
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { startOfVersion } from "@eventlogger/pipeline/totals/versionNumbers";
import { startRecordingProxy, type RecordingProxy } from "@eventlogger/gcp/bigquery/testing/recordingProxy";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import type { EventInput } from "@eventlogger/events/event";
import type { Verification } from "@eventlogger/gcp/bigquery/verify/verify";
import { dayOf, dayToIso } from "@eventlogger/events/day";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import { untilVerified } from "../faults/untilVerified";
import { refuseEveryRow } from "./refusals";
import { startGrpcFaultProxy, type GrpcFaultProxy } from "../faults/rig/grpcFaultProxy";
import { skipAfterFailure } from "@eventlogger/process/testing/skipAfterFailure";
import { Traffic } from "./traffic";

const BIN = path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js");
const PROJECT = "demo-project";
/** Time for the numbers to be exact after a kill, ms. It is printed; how long it takes depends on the load of the machine. */
const RECOVERY_LIMIT_MS = 240_000;
const START_LIMIT_MS = 180_000;
/** Acknowledges all messages that are not events. */
const ACKNOWLEDGED = ["--dead-letters-until", "2100-01-01"];

/** Runs the local stack, with a pipeline that the tests start, kill and restart. */
describe("End to end", function () {
  this.timeout(600_000);
  skipAfterFailure(); // each test adds to the data of the one before
  const directory = mkdtempSync(path.join(tmpdir(), "eventlogger-e2e-"));
  const stateDir = path.join(directory, "state");
  const runLog = path.join(directory, "run.log");
  let stack: Stack;
  let traffic: Traffic;
  let run: ChildProcess;
  /** Where the output of the newest run begins in the log; bytes. */
  let runLogStart = 0;
  /** Between the pipeline and BigQuery. */
  let proxy: RecordingProxy;
  /** Between the pipeline and Pub/Sub. */
  let pubsubCalls: GrpcFaultProxy;

  async function startRun(stateDirectory = stateDir, ...more: string[]): Promise<void> {
    runLogStart = existsSync(runLog) ? statSync(runLog).size : 0;
    run = await startChildProcess({
      name: "eventlogger run",
      command: process.execPath,
      // A short lease: after a kill, the tests wait for the redelivery.
      args: [BIN, "run", "--state-dir", stateDirectory, "--ack-deadline", "12s", "--parallelism", "2", ...more],
      env: { ...stack.environment, BIGQUERY_ENDPOINT: proxy.url, PUBSUB_EMULATOR_HOST: pubsubCalls.host },
      logFile: runLog,
    });
  }

  async function untilRunning(): Promise<void> {
    // All runs write to one log.
    const newLines = (): string => readFileSync(runLog).subarray(runLogStart).toString();
    await awaitReady(run, () => /^running /m.test(newLines()), START_LIMIT_MS);
  }

  function processes(): { launcher: ProcessIdentity; children: ProcessIdentity[] } {
    return JSON.parse(readFileSync(path.join(stateDir, "processes.json"), "utf8")) as ReturnType<typeof processes>;
  }

  before(async () => {
    stack = await startStack({ port: await freePort(), localDir: path.join(directory, "local"), pipeline: false });
    traffic = new Traffic(stack.url);
    process.env["PUBSUB_EMULATOR_HOST"] = stack.environment.PUBSUB_EMULATOR_HOST;
    proxy = await startRecordingProxy(stack.environment.BIGQUERY_ENDPOINT);
    pubsubCalls = await startGrpcFaultProxy(stack.environment.PUBSUB_EMULATOR_HOST);
    await startRun();
    await untilRunning();
  });

  after(async () => {
    await run?.stop(15_000);
    await proxy?.stop();
    await pubsubCalls?.stop();
    await stack?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  function eventlogger(...args: string[]): Promise<{ code: number; stdout: string; output: string }> {
    return new Promise((resolve) => {
      const child = execFile(
        process.execPath,
        [BIN, ...args],
        { env: { ...process.env, ...stack.environment } },
        (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, output: stdout + stderr }),
      );
    });
  }

  const bigquery = (): BigQuery => bigQueryClient({ project: PROJECT, endpoint: stack.environment.BIGQUERY_ENDPOINT });

  /**
   * Waits until every accepted event is in `events` or `dead_letters`, and `verify` finds nothing: the rollups are exact, and the
   * record has exactly the accepted events, all of them in `events`. Raw rows can be written after the rollups are exact.
   */
  async function assertVerified(): Promise<void> {
    await traffic.untilAccounted(bigquery(), RECOVERY_LIMIT_MS);
    const limits = { accepted: traffic.uniqueEvents, timeoutMs: RECOVERY_LIMIT_MS };
    await untilVerified(bigquery(), "analytics", limits);
  }

  /** Runs the command `verify`, which must find nothing. */
  async function assertVerifyFindsNothing(...args: string[]): Promise<void> {
    const { code, output } = await eventlogger("verify", ...args);
    assert.equal(code, 0, output);
    const accepted = traffic.uniqueEvents.toLocaleString("en");
    assert.match(output, new RegExp(`\\d+ days equal, ${accepted} recorded events in events`));
  }

  /** One number that a query returns in the column `n`. */
  async function numberOf(sql: string): Promise<number> {
    const [row] = await runQuery(bigquery(), sql);
    return row?.number("n") ?? NaN;
  }
  const highestVersion = (): Promise<number> =>
    numberOf("SELECT MAX(version) AS n FROM analytics.daily_rollup_versions");
  const ambiguousVersions = (): Promise<number> =>
    numberOf(`SELECT COUNT(*) AS n FROM (
      SELECT date, version FROM analytics.daily_rollup_versions GROUP BY date, version
      HAVING COUNT(DISTINCT CONCAT(session_count, ' ', session_duration_ms, ' ', active_user_count, ' ', new_user_count)) > 1)`);
  const heldLeases = (): Promise<number> =>
    numberOf("SELECT COUNT(*) AS n FROM analytics.generations WHERE lease_expires_at > CURRENT_TIMESTAMP()");

  it("all numbers and the retention are exact for 20,000 events of any order and age, of users, bots and visitors who log in, with duplicates", async () => {
    await traffic.post({ shuffleWindow: 20_000 });
    await traffic.assertExact();
    await assertVerified();
    await assertVerifyFindsNothing();
    const { daily_stats } = await traffic.rollups();
    assert.equal(daily_stats.length, 6);
    assert.match(daily_stats[0]?.date ?? "", /\/2020$/);
  });

  it("a refresh of the breakdowns equals what verify computes from the raw events, and GET /breakdowns/ adds up to GET /event/", async () => {
    const { code, output } = await eventlogger("refresh", "--breakdowns", "country,properties.plan");
    assert.equal(code, 0, output);
    assert.match(output, /refreshed generation 1: 6 days/);
    const verified = await eventlogger("verify");
    assert.equal(verified.code, 0, verified.output);
    assert.match(verified.output, /breakdowns of 6 days equal/);
    const { daily_stats } = await traffic.rollups();
    const date = daily_stats.at(-1)?.date.split("/").reverse().join("-");
    const response = await fetch(`${stack.url}/breakdowns/?dimension=country&from=${date}&to=${date}&limit=1000`);
    const { totals, values } = (await response.json()) as BreakdownAnswer;
    assert.deepEqual(
      [totals.sessions, totals.persons],
      [daily_stats.at(-1)?.session_count, daily_stats.at(-1)?.active_user_count],
    );
    assert.equal(
      values.reduce((sum, { events }) => sum + events, 0),
      totals.events,
    );
  });

  it("verify names the day when an event of the middle of a session disappears from events, until it is sent again", async () => {
    const event = traffic.eventInsideSession();
    await runQuery(bigquery(), `DELETE FROM analytics.events WHERE event_id = '${event.event_id}'`);
    const { code, stdout, output } = await eventlogger("verify", "--json");
    assert.equal(code, 1, output);
    const { differences, record } = JSON.parse(stdout) as Verification;
    assert.deepEqual(differences, []);
    const missing = record.missing.map(({ date, missing }) => [date, missing]);
    assert.deepEqual(missing, [[dayToIso(dayOf(event.event_time)), 1]]);
    await traffic.postAgain(event);
    await traffic.assertExact();
    await assertVerified();
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

  it("the rollups are exact after both workers were killed half-way, and when old events extend counted sessions", async () => {
    const before = await highestVersion();
    await traffic.post({ seed: 2, count: 6000, shuffleWindow: 500, lateBy: 6000 }, async () => {
      const workers = processes().children.slice(1);
      assert.equal(workers.length, 2, "each parallel subtask has a worker");
      for (const { pid } of workers) process.kill(pid, "SIGKILL");
    });
    await traffic.assertExact(RECOVERY_LIMIT_MS);
    await assertVerified();
    assert.match(readFileSync(runLog, "utf8"), /was killed by SIGKILL; Flink starts the job again/);
    // The worker's last versions are in no checkpoint. The next worker numbers its versions above all of them.
    assert.ok(startOfVersion(await highestVersion()) > startOfVersion(before));
    assert.equal(await ambiguousVersions(), 0);
  });

  it("the rollups are exact after launcher, job server and worker were killed half-way and run was restarted", async () => {
    await traffic.post({ seed: 3, count: 6000, shuffleWindow: 2000 }, async () => {
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
    const { "BigQuery emulator": bigqueryEmulator, "Pub/Sub emulator": pubsub } = stack.pids();
    assert(bigqueryEmulator && pubsub);
    await traffic.post({ seed: 5, count: 4000, users: 500 }, async () => {
      process.kill(bigqueryEmulator, "SIGSTOP");
      await sleep(5000);
      process.kill(pubsub, "SIGSTOP");
      await sleep(15_000);
      process.kill(bigqueryEmulator, "SIGCONT");
      process.kill(pubsub, "SIGCONT");
    });
    // Clients back off while a service does not answer.
    await traffic.assertExact(RECOVERY_LIMIT_MS);
    await assertVerified();
  });

  it("of events that BigQuery refused for a while only the one that it goes on refusing is a dead letter, and is stored once after it was sent again", async () => {
    const event = { ...generateTraffic({ count: 1 }).next().value, event_id: "refused-by-policy" } as EventInput;
    proxy.refuses = ({ json }) => json["event_id"] === event.event_id;
    await traffic.postEvents([event]);
    await traffic.post({ seed: 8, count: 4000, users: 500 }, () => refuseEveryRow(proxy, 2000));
    await traffic.assertExact(RECOVERY_LIMIT_MS);
    assert.deepEqual(await traffic.untilAccounted(bigquery(), RECOVERY_LIMIT_MS), [event.event_id]);
    const copies = path.join(stateDir, "dead-letters");
    assert(
      readdirSync(copies).some((name) => readFileSync(path.join(copies, name), "utf8").includes("refused-by-policy")),
    );
    proxy.refuses = () => false;
    const resend = async (): Promise<{ sent: number; stored: number }> => {
      const { code, stdout, output } = await eventlogger(
        "dead-letters",
        "resend",
        "--error-type",
        "row_refused",
        "--json",
      );
      assert.equal(code, 0, output);
      const { sent, stored } = JSON.parse(stdout) as { sent: number; stored: number };
      return { sent, stored };
    };
    assert.deepEqual(await resend(), { sent: 1, stored: 0 });
    const rowsOf = async (): Promise<number> => {
      const [row] = await runQuery(
        bigquery(),
        `SELECT COUNT(*) AS n FROM analytics.events WHERE event_id = '${event.event_id}'`,
      );
      return row?.number("n") ?? 0;
    };
    await waitUntil("the row", async () => (await rowsOf()) > 0, { timeoutMs: RECOVERY_LIMIT_MS, intervalMs: 500 });
    await traffic.assertExact();
    await assertVerified();
    assert.deepEqual(await resend(), { sent: 0, stored: 1 });
    assert.equal(await rowsOf(), 1);
  });

  it("the rollups are exact after calls of the pipeline to Pub/Sub failed, timed out or lost their answers, and its streams broke", async () => {
    const { faults } = pubsubCalls;
    faults.set({ share: 0.3, kinds: ["error", "no answer", "answer lost"], only: /Acknowledge|ModifyAckDeadline/ });
    try {
      await traffic.post({ seed: 10, count: 2000, users: 300 }, async () => pubsubCalls.breakStreams());
      await waitUntil("calls with each fault", () => faults.total >= 3);
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
    const query =
      "SELECT DISTINCT error_type, error_message, payload, payload_encoding FROM analytics.dead_letters " +
      "WHERE NOT STARTS_WITH(error_type, 'row_refused') ORDER BY error_type";
    const [job] = await bigquery().createQueryJob({ query });
    const [rows] = (await job.getQueryResults()) as [Record<string, string>[], ...unknown[]];
    const brief = rows.map((r) => [r["error_type"], r["payload_encoding"], r["payload"]]);
    assert.deepEqual(brief, [
      ["invalid_event", "utf8", '{"type":"event"}'],
      ["not_json", "utf8", "{not json"],
      ["not_utf8", "base64", Buffer.from([0xff, 0xfe, 0x00]).toString("base64")],
    ]);
    assert.match(rows[0]?.["error_message"] ?? "", /session_id is required/);
    const { code, output } = await eventlogger("verify");
    assert.equal(code, 1, output);
    assert.match(output, /3 unexplained dead letters/);
    await assertVerifyFindsNothing(...ACKNOWLEDGED);
  });

  it("no log of run and its processes contains the secret of the hash in the keys of state", () => {
    const settings = JSON.parse(readFileSync(path.join(stateDir, "settings.json"), "utf8")) as Record<string, unknown>;
    const secret = String(settings["shardHashSecret"]);
    assert.match(secret, /^[0-9a-f]{32}$/);
    const folder = path.join(stateDir, "logs");
    const logs = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .map((name) => path.join(folder, name))
      .filter((file) => statSync(file).isFile());
    assert(logs.length >= 2, logs.join());
    for (const file of [runLog, ...logs]) assert(!readFileSync(file, "utf8").includes(secret), file);
  });

  it("SIGTERM stops everything that run has started, and the next run resumes from the checkpoint", async () => {
    const { children } = processes();
    assert.deepEqual([await heldLeases(), await ambiguousVersions()], [1, 0]);
    const { code } = await run.stop(15_000);
    assert.equal(code, 0, run.logTail());
    assert.equal(await heldLeases(), 0);
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

  it("with --session-windows beam the rollups of another dataset are exact for events of any order and age, with duplicates", async () => {
    await run.stop(15_000);
    const { code, output } = await eventlogger("run", "--state-dir", stateDir, "--session-windows", "beam");
    assert.equal(code, 1, output);
    assert.match(output, /was created with other settings \(sessionWindows state, now beam\)/);
    const dataset = "beam_windows";
    // A subscription of its own: the other one may still have messages that no run has acknowledged.
    const services = ["--dataset", dataset, "--subscription", "beam-windows"];
    const setup = await eventlogger("setup", ...services);
    assert.equal(setup.code, 0, setup.output);
    const windows = ["--session-windows", "beam", "--early-firing", "1s", "--late-after", "1h"];
    await startRun(path.join(directory, "beam"), ...services, ...windows);
    await untilRunning();
    const others = new Traffic(stack.url);
    await others.post({ seed: 8, count: 3000, users: 300, shuffleWindow: 3000 });
    await untilVerified(bigquery(), dataset, { accepted: others.uniqueEvents, timeoutMs: RECOVERY_LIMIT_MS });
  });
});
