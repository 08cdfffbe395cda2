import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startStack, type Stack } from "@eventlogger/local/stack/stack";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { awaitReady } from "@eventlogger/process/readiness";
import { waitUntil } from "@eventlogger/process/wait";
import { Traffic } from "../e2e/traffic";

const HOUR = 3_600_000;
const BIN = path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js");
/** Time for which the clock is wrong while messages arrive: the watermark follows them within 2 s; ms. */
const STEP_MS = 10_000;
const LIMIT_MS = 180_000;

/** Runs the local stack with a pipeline whose launcher and worker have a clock with steps. The other processes have the right time. */
describe("Clock faults", function () {
  this.timeout(900_000);
  this.bail(true); // each test adds to the data of the one before
  const directory = mkdtempSync(path.join(tmpdir(), "eventlogger-clock-"));
  const stepFile = path.join(directory, "step");
  const runLog = path.join(directory, "run.log");
  let stack: Stack;
  let traffic: Traffic;
  let run: ChildProcess;
  let seed = 0;

  const setClock = (stepMs: number): void => writeFileSync(stepFile, String(stepMs));
  /** Events of the last five days: many are about a day old, where the session windows begin. */
  const post = (during?: () => Promise<void>): Promise<void> =>
    traffic.post({ seed: ++seed, count: 3000, users: 500, shuffleWindow: 3000 }, during, 150);

  before(async () => {
    setClock(0);
    stack = await startStack({ port: await freePort(), localDir: path.join(directory, "local"), pipeline: false });
    traffic = new Traffic(stack.url);
    run = await startChildProcess({
      name: "eventlogger run",
      command: process.execPath,
      args: [BIN, "run", "--state-dir", path.join(directory, "state"), "--early-firing", "2s"],
      env: {
        ...stack.environment,
        NODE_OPTIONS: `--require ${path.join(__dirname, "steppedClock.js")}`,
        CLOCK_STEP_FILE: stepFile,
      },
      logFile: runLog,
    });
    await awaitReady(run, () => /^running /m.test(run.logTail(50)), LIMIT_MS);
  });

  after(async () => {
    await run?.stop(15_000);
    await stack?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it("the rollups are exact after the clock of the pipeline was 3 hours behind during traffic", async () => {
    await post(async () => {
      setClock(-3 * HOUR);
      await sleep(STEP_MS);
    });
    await post();
    await traffic.assertExact(LIMIT_MS);
  });

  it("the rollups are exact after the clock of the pipeline was 30 hours ahead during traffic, and right again", async () => {
    await post(async () => {
      setClock(30 * HOUR);
      await sleep(STEP_MS);
    });
    setClock(0);
    await post();
    await traffic.assertExact(LIMIT_MS);
  });

  it("the rollups are exact after the clock was ahead and behind while the worker was killed", async () => {
    const workerPid = (): number | undefined =>
      (
        JSON.parse(readFileSync(path.join(directory, "state", "processes.json"), "utf8")) as {
          children: { pid: number }[];
        }
      ).children[1]?.pid;
    await post(async () => {
      setClock(30 * HOUR);
      await sleep(STEP_MS);
      const killed = await waitUntil("the worker", workerPid, { timeoutMs: LIMIT_MS });
      process.kill(killed, "SIGKILL");
      await waitUntil("another worker", () => workerPid() !== undefined && workerPid() !== killed, {
        timeoutMs: LIMIT_MS,
      });
      setClock(-3 * HOUR);
    });
    await post();
    await traffic.assertExact(LIMIT_MS);
    assert.match(readFileSync(runLog, "utf8"), /was killed by SIGKILL/);
  });
});
