import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { freePorts } from "@eventlogger/process/ports";
import { answers, awaitReady } from "@eventlogger/process/readiness";

const MAIN = join(__dirname, "emulator.js");

describe("the program that runs an emulator in the foreground", () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "emulator-"))));
  afterEach(() => rmSync(dir, { recursive: true }));

  function start(...args: string[]): Promise<ChildProcess> {
    const logFile = join(dir, "log");
    return startChildProcess({ name: "emulator", command: process.execPath, args: [MAIN, ...args], logFile });
  }

  async function startPubSub(): Promise<{ readonly child: ChildProcess; readonly url: string }> {
    const [port] = (await freePorts(1)) as [number];
    const url = `http://127.0.0.1:${port}/`;
    const child = await start("pubsub", "--pubsub-port", String(port));
    await awaitReady(child, () => answers(url), 30_000);
    return { child, url };
  }

  it("serves Pub/Sub and exits with 0 after SIGTERM", async () => {
    const { child, url } = await startPubSub();
    process.kill(child.pid, "SIGTERM");
    assert.equal((await child.exited).code, 0);
    await assert.rejects(fetch(url));
  });

  it("serves BigQuery from a new folder and exits with 0 after SIGTERM", async () => {
    const [port, grpcPort] = (await freePorts(2)).map(String) as [string, string];
    const ports = ["--bigquery-port", port, "--bigquery-grpc-port", grpcPort];
    const child = await start("bigquery", "--data-dir", join(dir, "created if absent"), ...ports);
    await awaitReady(child, () => answers(`http://127.0.0.1:${port}/healthz`), 30_000);
    process.kill(child.pid, "SIGTERM");
    assert.equal((await child.exited).code, 0);
  });

  /** Process id of the emulator itself. */
  function emulatorOf(child: ChildProcess): number {
    return Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"));
  }

  it("kills an emulator that does not exit after SIGTERM", async () => {
    const { child } = await startPubSub();
    process.kill(emulatorOf(child), "SIGSTOP");
    process.kill(child.pid, "SIGTERM");
    assert.equal((await child.exited).code, 0);
    assert.match(child.logTail(), /did not exit within 5 s after SIGTERM: killing it/);
  });

  it("exits with 1 when the emulator exits unexpectedly", async () => {
    const { child } = await startPubSub();
    process.kill(emulatorOf(child), "SIGKILL");
    assert.equal((await child.exited).code, 1);
    assert.match(child.logTail(), /exited unexpectedly \(SIGKILL\)/);
  });

  it("exits with 2 and names the problem when an argument or an option is wrong", () => {
    for (const args of [[], ["redis"], ["pubsub", "--pubsub-port", "0"]]) {
      const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });
      assert.equal(status, 2);
      assert.match(stderr, args.length > 1 ? /--pubsub-port/ : /pubsub or bigquery/);
    }
  });
});
