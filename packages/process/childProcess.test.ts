import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path = require("node:path");
import { startChildProcess, type ChildProcess } from "./childProcess";

describe("Child processes", function () {
  this.timeout(10_000);
  let directory: string;
  let child: ChildProcess | undefined;
  beforeEach(() => void (directory = mkdtempSync(path.join(tmpdir(), "child-"))));
  afterEach(async () => {
    await child?.stop(0);
    child = undefined;
    rmSync(directory, { recursive: true, force: true });
  });

  async function shell(script: string, env?: Record<string, string | undefined>): Promise<ChildProcess> {
    child = await startChildProcess({
      name: "test shell",
      command: "bash",
      args: ["-c", script],
      logFile: path.join(directory, "log"),
      env,
    });
    return child;
  }

  async function said(text: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = text.exec(child?.logTail(1000) ?? "");
      if (match) return match;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  function alive(pid: number): boolean {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  async function gone(pid: number): Promise<void> {
    while (alive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  it("tell how they ended, and the end of their log", async () => {
    const ended = await shell("for i in 1 2 3; do echo line $i; done; echo problem >&2; exit 3");
    assert.deepEqual(await ended.exited, { code: 3, signal: null });
    assert.equal(ended.running, false);
    assert.equal(ended.logTail(2), "line 3\nproblem");
  });

  it("give out the lines of standard output, all of them before the end", async () => {
    const lines: string[] = [];
    child = await startChildProcess({
      name: "test shell",
      command: "bash",
      args: ["-c", "echo one; echo problem >&2; echo two; printf three"],
      logFile: path.join(directory, "log"),
      onLine: (line) => lines.push(line),
    });
    await child.exited;
    assert.deepEqual(lines, ["one", "two", "three"]);
    assert.equal(child.logTail(), "problem");
  });

  it("stop with all they started", async () => {
    await shell("sleep 100 & echo started $!; wait");
    const grandchild = Number((await said(/started (\d+)/))[1]);
    const status = await child?.stop();
    assert.equal(status?.signal, "SIGTERM");
    await gone(grandchild);
  });

  it("stop what a process left behind that ended by itself", async () => {
    await shell("sleep 100 & echo started $!");
    const grandchild = Number((await said(/started (\d+)/))[1]);
    await child?.exited;
    assert(alive(grandchild));
    await child?.stop();
    await gone(grandchild);
  });

  it("are killed when they do not heed SIGTERM", async () => {
    await shell("trap 'echo ignored' TERM; echo ready; while true; do sleep 0.05; done");
    await said(/ready/);
    const [first, second] = await Promise.all([child?.stop(300), child?.stop(300)]);
    assert.equal(first?.signal, "SIGKILL");
    assert.equal(first, second);
    await said(/ignored/);
  });

  it("get the environment, less what is undefined", async () => {
    process.env["CHILD_TEST_TAKEN_OUT"] = "x";
    await shell('echo "[$CHILD_TEST_ADDED][$CHILD_TEST_TAKEN_OUT]"', {
      CHILD_TEST_ADDED: "a",
      CHILD_TEST_TAKEN_OUT: undefined,
    });
    delete process.env["CHILD_TEST_TAKEN_OUT"];
    await said(/\[a\]\[\]/);
  });

  it("say which command cannot be started", async () => {
    const options = { name: "the tool", command: "/no/such/tool", args: [], logFile: path.join(directory, "log") };
    await assert.rejects(startChildProcess(options), /Cannot start the tool \(\/no\/such\/tool\)/);
  });
});
