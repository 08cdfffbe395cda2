import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChildProcess, type ChildProcess } from "./childProcess";
import { awaitReady } from "./readiness";

describe("awaitReady", () => {
  let dir: string;
  before(() => (dir = mkdtempSync(join(tmpdir(), "ready-"))));
  after(() => rmSync(dir, { recursive: true }));

  function shell(script: string): Promise<ChildProcess> {
    return startChildProcess({ name: "child", command: "sh", args: ["-c", script], logFile: join(dir, "log") });
  }

  it("returns once the probe is true", async () => {
    const child = await shell("exec sleep 60");
    let probes = 0;
    await awaitReady(child, async () => ++probes === 3, 5000);
    assert.equal(probes, 3);
    await child.stop();
  });

  it("tells of a process that ended, with its code and the end of its log", async () => {
    const child = await shell("echo cannot bind; exit 7");
    await assert.rejects(
      awaitReady(child, async () => false, 5000),
      /child exited before it was ready \(exit code 7\)[^]*cannot bind/,
    );
  });

  it("stops a process that is not ready in time", async () => {
    const child = await shell("echo still starting; exec sleep 60");
    await assert.rejects(
      awaitReady(child, async () => false, 500),
      /was not ready after [^]*still starting/,
    );
    assert.equal(child.running, false);
  });
});
