import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChildProcess, type ChildProcess } from "./childProcess";
import { awaitLogLine, awaitReady, logLength } from "./readiness";

describe("awaitReady", () => {
  let dir: string;
  before(() => (dir = mkdtempSync(join(tmpdir(), "ready-"))));
  after(() => rmSync(dir, { recursive: true }));

  function shell(script: string): Promise<ChildProcess> {
    return startChildProcess({ name: "child", command: "sh", args: ["-c", script], logFile: join(dir, "log") });
  }

  it("awaitReady returns when the probe returns true", async () => {
    const child = await shell("exec sleep 60");
    let probes = 0;
    await awaitReady(child, async () => ++probes === 3, 5000);
    assert.equal(probes, 3);
    await child.stop();
  });

  it("awaitReady reports the exit code and the end of the log of a process that exits first", async () => {
    const child = await shell("echo cannot bind; exit 7");
    await assert.rejects(
      awaitReady(child, async () => false, 5000),
      /child exited before it was ready \(exit code 7\)[^]*cannot bind/,
    );
  });

  it("awaitReady stops a process that is not ready in time", async () => {
    const child = await shell("echo still starting; exec sleep 60");
    await assert.rejects(
      awaitReady(child, async () => false, 500),
      /was not ready after [^]*still starting/,
    );
    assert.equal(child.running, false);
  });

  it("awaitReady stops the process when the probe throws", async () => {
    const child = await shell("exec sleep 60");
    const probe = async (): Promise<boolean> => Promise.reject(new Error("the probe is broken"));
    await assert.rejects(awaitReady(child, probe, 5000), /^Error: the probe is broken$/);
    assert.equal(child.running, false);
  });

  it("awaitLogLine returns the match of a line that the process logs, not of earlier lines", async () => {
    const child = await shell("sleep 0.2; echo listening on port 2; exec sleep 60");
    writeFileSync(child.logFile, "listening on port 1\n", { flag: "a" });
    const from = logLength(child.logFile);
    const match = await awaitLogLine(child, /listening on port (\d)/, { from, timeoutMs: 5000 });
    assert.equal(match[1], "2");
    await child.stop();
    assert.equal(logLength(join(dir, "absent")), 0);
  });
});
