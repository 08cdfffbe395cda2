import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { endProcess, identifyProcess, isRunning } from "./processIdentity";

describe("ProcessIdentity", () => {
  it("isRunning tells a process from another one with the same pid", () => {
    const self = identifyProcess(process.pid);
    assert(self);
    assert(isRunning(self));
    assert(!isRunning({ ...self, started: "at another time" }));
  });

  it("identifyProcess returns undefined for a process that has exited", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");
    assert.equal(identifyProcess(child.pid as number), undefined);
  });

  it("endProcess kills a process that ignores SIGTERM", async () => {
    const child = spawn(
      process.execPath,
      ["-e", "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)"],
      {
        detached: true,
      },
    );
    await once(child.stdout, "data");
    const identity = identifyProcess(child.pid as number);
    assert(identity);
    const exit = once(child, "exit");
    await endProcess(identity, 200);
    assert.deepEqual(await exit, [null, "SIGKILL"]);
    assert(!isRunning(identity));
  });

  it("endProcess does not stop another process with the same pid", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true });
    const identity = identifyProcess(child.pid as number);
    assert(identity);
    await endProcess({ ...identity, started: "at another time" }, 100);
    assert(isRunning(identity));
    child.kill("SIGKILL");
    await once(child, "exit");
  });
});
