import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { BigQuery } from "@google-cloud/bigquery";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { isRunning, readGenerations } from "@eventlogger/gcp/bigquery/generations";
import { startStack, type Stack } from "@eventlogger/local/stack/stack";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { awaitLogLine, logLength } from "@eventlogger/process/readiness";
import { waitUntil } from "@eventlogger/process/wait";
import { Traffic, type Definitions } from "../e2e/traffic";
import { Reader } from "../rebuild/reader";
import { runRebuild, type RebuildRun } from "../rebuild/rebuildProcess";
import { untilVerified } from "./untilVerified";

const BIN = path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js");
const START_LIMIT_MS = 180_000;
const REBUILD_LIMIT_MS = 600_000;
const RECOVERY_LIMIT_MS = 240_000;
/** Events per second while numbers are rebuilt. */
const RATE = 200;
const PHASES = ["creating", "replaying", "catching up", "verifying", "activating"];

const FIRST: Definitions = { gapMs: 1_800_000, timeZone: "UTC" };
/** Nearly every event is a session of its own. */
const SECOND: Definitions = { gapMs: 1000, timeZone: "UTC" };
const THIRD: Definitions = { gapMs: 1000, timeZone: "Pacific/Auckland" };

describe("Rebuild while events keep coming", function () {
  this.timeout(1_500_000);
  this.bail(true); // each test goes on with the numbers of the one before
  const directory = mkdtempSync(path.join(tmpdir(), "eventlogger-rebuild-"));
  const stateDir = path.join(directory, "state");
  const runLog = path.join(directory, "run.log");
  const definitions = new Map([[1, FIRST]]);
  let stack: Stack;
  let traffic: Traffic;
  let run: ChildProcess;

  /** Options of both `run` and `rebuild`: two pipelines share this machine. */
  const SHARED = [
    ...["--state-dir", stateDir, "--ack-deadline", "10s", "--heap", "768m", "--rocksdb-memory", "128m"],
    ...["--worker-memory", "1024"],
  ];

  async function startRun(): Promise<void> {
    const from = logLength(runLog);
    run = await startChildProcess({
      name: "eventlogger run",
      command: process.execPath,
      args: [BIN, "run", ...SHARED, "--metrics-port", "0"],
      env: stack.environment,
      logFile: runLog,
    });
    await awaitLogLine(run, /^running /m, { from, timeoutMs: START_LIMIT_MS });
  }

  let rebuilds = 0;
  const rebuild = (args: readonly string[], killAt?: string): Promise<RebuildRun> =>
    runRebuild([...SHARED, ...args], {
      env: stack.environment,
      logFile: path.join(directory, `rebuild-${++rebuilds}.log`),
      timeoutMs: REBUILD_LIMIT_MS,
      ...(killAt !== undefined && { killAt }),
    });

  const bigquery = (): BigQuery =>
    bigQueryClient({ project: "demo-project", endpoint: stack.environment.BIGQUERY_ENDPOINT });

  async function assertExact(generation: number): Promise<void> {
    const own = definitions.get(generation) as Definitions;
    await traffic.assertExact(RECOVERY_LIMIT_MS, own);
    await untilVerified(bigquery(), "analytics", { accepted: traffic.uniqueEvents, timeoutMs: RECOVERY_LIMIT_MS });
    const generations = await readGenerations(bigquery(), "analytics");
    const left = generations.filter((one) => one.status !== "retired" || one.rebuild !== null);
    assert.deepEqual(
      left.map((one) => [one.generation, one.status, one.rebuild]),
      [[generation, "active", null]],
    );
  }

  before(async () => {
    stack = await startStack({ port: await freePort(), localDir: path.join(directory, "local"), pipeline: false });
    traffic = new Traffic(stack.url);
    await startRun();
    // Every user appears, so that the number of users does not change later.
    await traffic.post({ shuffleWindow: 2000, count: 20_000, users: 300 });
    await traffic.assertExact(RECOVERY_LIMIT_MS, FIRST);
  });
  after(async () => {
    await run?.stop(15_000);
    await stack?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  for (const [generation, own, args] of [
    [2, SECOND, ["--session-gap", "1s"]],
    [3, THIRD, ["--time-zone", "Pacific/Auckland"]],
  ] as const) {
    it(`rebuild ${args.join(" ")} is killed in five phases and resumed, readers see one generation at a time, and the numbers are exact`, async () => {
      definitions.set(generation, own);
      const reader = new Reader(stack.url);
      const endTraffic = traffic.keepPosting(RATE, { users: 300 });
      try {
        for (const phase of PHASES) assert.equal((await rebuild(args, phase)).code, null);
        const { code, output } = await rebuild(args);
        assert.equal(code, 0, output);
        assert.match(output, new RegExp(`going on with the rebuild of generation ${generation} `));
      } finally {
        await endTraffic();
        await reader.stop();
      }
      await assertExact(generation);
      reader.assertOneGenerationEach(definitions, traffic.accepted);
      assert.deepEqual(reader.generations, [generation - 1, generation]);
      assert.equal(existsSync(path.join(stateDir, `generation-${generation - 1}`)), false);
    });
  }

  it("the state directory is deleted under load, rebuild --take-over computes all numbers, and they are exact", async () => {
    definitions.set(4, THIRD);
    const endTraffic = traffic.keepPosting(RATE, { users: 300 });
    try {
      rmSync(stateDir, { recursive: true });
      await run.stop(15_000);
      // The run has ended without its state, and could not release its lease.
      const isLeased = async (): Promise<boolean> =>
        (await readGenerations(bigquery(), "analytics")).some((one) => isRunning(one));
      await waitUntil("the end of the lease", async () => !(await isLeased()), {
        timeoutMs: RECOVERY_LIMIT_MS,
        intervalMs: 1000,
      });
      const refused = await rebuild([]);
      assert.equal(refused.code, 1, refused.output);
      assert.match(refused.output, /eventlogger rebuild --take-over/);
      const { code, output } = await rebuild(["--take-over"]);
      assert.equal(code, 0, output);
      await startRun();
    } finally {
      await endTraffic();
    }
    await assertExact(4);
  });

  it("a second rebuild is refused while the first one runs, and --abort leaves the numbers as they were", async () => {
    const killed = await rebuild(["--session-gap", "1h"], "catching up");
    assert.equal(killed.code, null);
    const other = await rebuild(["--session-gap", "2h"]);
    assert.equal(other.code, 1);
    assert.match(other.output, /--session-gap is 1h there, but 2h here/);
    const first = rebuild(["--session-gap", "1h"], "verifying");
    const second = await rebuild(["--session-gap", "1h"]);
    assert.equal(second.code, 1, second.output);
    assert.match(second.output, /Another process runs the rebuild of generation 5/);
    await first;
    const { code, output } = await rebuild(["--abort"]);
    assert.equal(code, 0, output);
    assert.equal(existsSync(path.join(stateDir, "generation-5")), false);
    await traffic.post({ seed: 77, count: 500, users: 300 });
    await assertExact(4);
  });
});
