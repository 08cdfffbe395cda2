import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { endProcess, identifyProcess, isRunning } from "./processIdentity";

describe("ProcessIdentity", () => {
  it("knows a process from another one that has got its pid", () => {
    const self = identifyProcess(process.pid);
    assert(self);
    assert(isRunning(self));
    assert(!isRunning({ ...self, started: "at another time" }));
  });

  it("knows none when the process has gone", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");
    assert.equal(identifyProcess(child.pid as number), undefined);
  });

  it("ends a process that ignores SIGTERM", async () => {
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

  it("leaves a process alone that is not the one", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true });
    const identity = identifyProcess(child.pid as number);
    assert(identity);
    await endProcess({ ...identity, started: "at another time" }, 100);
    assert(isRunning(identity));
    child.kill("SIGKILL");
    await once(child, "exit");
  });
});
