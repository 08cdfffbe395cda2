import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { keepRunning } from "./keepRunning";

describe("keepRunning", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "keep-running-"))));
  afterEach(() => rmSync(directory, { recursive: true }));

  const POLICY = { maxRestarts: 3, withinMs: 60_000, backoff: { initialMs: 10, maxMs: 100 } };
  function startNode(script: string): Promise<ChildProcess> {
    const logFile = join(directory, "log");
    return startChildProcess({ name: "pipeline", command: process.execPath, args: ["-e", script], logFile });
  }

  it("restarts a process that exits, and gives it up with the end of its log when it exits too often", async () => {
    let starts = 1;
    const lines: string[] = [];
    const start = (): Promise<ChildProcess> => {
      starts++;
      return startNode("console.log('stuck'); process.exit(3)");
    };
    const first = await startNode("console.log('stuck'); process.exit(3)");
    const error = await keepRunning(first, POLICY, { start, isStopping: () => false, say: (line) => lines.push(line) });
    assert.equal(starts, 4);
    assert.equal(lines.length, 3);
    assert.match(lines[0] ?? "", /^pipeline exited \(exit code 3\); restarting it in /);
    assert.match(error?.message ?? "", /^pipeline exited \(exit code 3\) more than 3 times within 60 s\. [^]*\| stuck/);
  });

  it("does not restart a process that was stopped", async () => {
    let isStopping = false;
    const child = await startNode("setInterval(() => {}, 1000)");
    const kept = keepRunning(child, POLICY, {
      start: () => assert.fail("it was restarted"),
      isStopping: () => isStopping,
      say: () => {},
    });
    isStopping = true;
    await child.stop();
    assert.equal(await kept, undefined);
  });
});
