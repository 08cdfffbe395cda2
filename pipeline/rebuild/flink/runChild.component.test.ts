import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { identifyProcess, isRunning } from "@eventlogger/process/processIdentity";
import { freePort } from "@eventlogger/process/ports";
import { waitUntil } from "@eventlogger/process/wait";
import { RunChild } from "./runChild";

const LIMIT_MS = 60_000;

describe("The pipeline of a generation that is being built, as a child process", () => {
  let directory: string;
  let logFile: string;
  /** A command that runs until it is stopped, and needs no services. */
  let args: string[];

  beforeEach(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "run-child-"));
    logFile = path.join(directory, "logs", "run.log");
    args = ["worker-pool", `--port=${await freePort()}`];
    process.env["BEAM_ACCESS_TOKEN"] = "0".repeat(64);
  });
  afterEach(() => {
    delete process.env["BEAM_ACCESS_TOKEN"];
    rmSync(directory, { recursive: true });
  });

  const hasStarted = (): boolean => readLog().startsWith("worker pool of version");
  function readLog(): string {
    try {
      return readFileSync(logFile, "utf8");
    } catch {
      return "";
    }
  }

  it("stops gracefully when the process that has started it is killed by SIGKILL", async () => {
    const fixture = path.join(__dirname, "..", "testing", "parentFixture.js");
    const parent = spawn(process.execPath, [fixture, logFile, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const child = identifyProcess(Number(line.toString()));
    assert.ok(child, line.toString());
    await waitUntil("the start of the child", hasStarted, { timeoutMs: LIMIT_MS, details: readLog });
    assert.ok(isRunning(child));
    parent.kill("SIGKILL");
    await waitUntil("the end of the child", () => !isRunning(child), { timeoutMs: LIMIT_MS, details: readLog });
    assert.match(readLog(), /SIGTERM: stopping/);
  });

  it("is stopped by the process that has started it, and tells how it ended", async () => {
    const child = RunChild.start(2, args, logFile);
    await waitUntil("the start of the child", hasStarted, { timeoutMs: LIMIT_MS, details: readLog });
    assert.deepEqual([child.isRunning, child.isReady], [true, false]);
    await child.stop(LIMIT_MS);
    assert.equal(child.isRunning, false);
    assert.match(child.describe(), /^ended \(exit code 0\); its log .*SIGTERM: stopping/s);
  });

  it("that fails at once reports its exit code and the end of its log", async () => {
    const child = RunChild.start(2, ["run", "--no-such-option=1"], logFile);
    await waitUntil("the end of the child", () => !child.isRunning, { timeoutMs: LIMIT_MS });
    assert.match(child.describe(), /ended \(exit code 2\).*unknown option --no-such-option/s);
  });
});
