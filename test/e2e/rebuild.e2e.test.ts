import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { startStack, type Stack } from "@eventlogger/local/stack/stack";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { awaitLogLine } from "@eventlogger/process/readiness";
import { untilVerified } from "../faults/untilVerified";
import { Reader } from "../rebuild/reader";
import { runRebuild, type RebuildRun } from "../rebuild/rebuildProcess";
import { Traffic, type Definitions } from "./traffic";

const BIN = path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js");
const LIMIT_MS = 240_000;
/** Events per second while numbers are rebuilt. */
const RATE = 20;
const OLD: Definitions = { gapMs: 1_800_000, timeZone: "UTC" };
/** Nearly every event is a session of its own, and most days begin at another moment. */
const NEW: Definitions = { gapMs: 1000, timeZone: "Pacific/Auckland" };

/** The short form of test/faults/rebuild.faults.ts, without kills. */
describe("Rebuild, end to end", function () {
  this.timeout(600_000);
  const directory = mkdtempSync(path.join(tmpdir(), "eventlogger-rebuild-e2e-"));
  const stateDir = path.join(directory, "state");
  let stack: Stack;
  let traffic: Traffic;
  let run: ChildProcess;

  /** Options of both `run` and `rebuild`. A short lease, because the rebuild waits for redelivered messages. */
  const SHARED = ["--state-dir", stateDir, "--ack-deadline", "10s", "--heap", "768m", "--worker-memory", "1024"];

  before(async () => {
    stack = await startStack({ port: await freePort(), localDir: path.join(directory, "local"), pipeline: false });
    traffic = new Traffic(stack.url);
    run = await startChildProcess({
      name: "eventlogger run",
      command: process.execPath,
      args: [BIN, "run", ...SHARED],
      env: stack.environment,
      logFile: path.join(directory, "run.log"),
    });
    await awaitLogLine(run, /^running /m, { from: 0, timeoutMs: LIMIT_MS });
  });
  after(async () => {
    await run?.stop(15_000);
    await stack?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const rebuild = (): Promise<RebuildRun> =>
    runRebuild([...SHARED, "--session-gap", "1s", "--time-zone", "Pacific/Auckland"], {
      env: stack.environment,
      logFile: path.join(directory, "rebuild.log"),
      timeoutMs: LIMIT_MS,
    });

  it("rebuild changes the session gap and the time zone while events keep coming, and readers see one generation at a time", async () => {
    // Every user appears, so that the number of users does not change later.
    await traffic.post({ count: 2000, shuffleWindow: 2000, users: 100 });
    await traffic.assertExact(LIMIT_MS, OLD);
    const reader = new Reader(stack.url);
    const endTraffic = traffic.keepPosting(RATE, { users: 100 });
    try {
      const { code, output } = await rebuild();
      assert.equal(code, 0, output);
    } finally {
      await endTraffic();
      await reader.stop();
    }
    await traffic.assertExact(LIMIT_MS, NEW);
    const bigquery = bigQueryClient({ project: "demo-project", endpoint: stack.environment.BIGQUERY_ENDPOINT });
    await untilVerified(bigquery, "analytics", { accepted: traffic.uniqueEvents, timeoutMs: LIMIT_MS });
    const definitions = new Map([
      [1, OLD],
      [2, NEW],
    ]);
    reader.assertOneGenerationEach(definitions, traffic.accepted);
    await awaitLogLine(run, /generation 2 is active now/, { from: 0, timeoutMs: LIMIT_MS });
    assert.equal(existsSync(path.join(stateDir, "generation-2")), true);
  });
});
