import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { killRunningChildren, startChildProcess, type ChildProcess } from "./childProcess";
import { waitUntil } from "./wait";

describe("Child processes", () => {
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

  const logged = (text: RegExp): Promise<RegExpExecArray> =>
    waitUntil(`${text} in the log`, () => text.exec(child?.logTail(1000) ?? ""));

  function alive(pid: number): boolean {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  const exits = (pid: number): Promise<true> => waitUntil(`the exit of ${pid}`, () => !alive(pid));

  it("a child process reports its exit code and the end of its log", async () => {
    const ended = await shell("for i in 1 2 3; do echo line $i; done; echo problem >&2; exit 3");
    assert.deepEqual(await ended.exited, { code: 3, signal: null });
    assert.equal(ended.running, false);
    assert.equal(ended.logTail(2), "line 3\nproblem");
  });

  it("a child process passes on every line of standard output before it reports its exit", async () => {
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

  it("stopping a child process also stops the processes that it started", async () => {
    await shell("sleep 100 & echo started $!; wait");
    const grandchild = Number((await logged(/started (\d+)/))[1]);
    const status = await child?.stop();
    assert.equal(status?.signal, "SIGTERM");
    await exits(grandchild);
  });

  it("stopping a child process that has exited stops the processes that it left behind", async () => {
    await shell("sleep 100 & echo started $!");
    const grandchild = Number((await logged(/started (\d+)/))[1]);
    await child?.exited;
    assert(alive(grandchild));
    await child?.stop();
    await exits(grandchild);
  });

  it("a child process that ignores SIGTERM is killed after the grace period", async () => {
    await shell("trap 'echo ignored' TERM; echo ready; while true; do sleep 0.05; done");
    await logged(/ready/);
    const [first, second] = await Promise.all([child?.stop(300), child?.stop(300)]);
    assert.equal(first?.signal, "SIGKILL");
    assert.equal(first, second);
    await logged(/ignored/);
  });

  it("killRunningChildren kills a child process with the processes that it started", async () => {
    const started = await shell("trap '' TERM; sleep 100 & echo started $!; wait");
    const grandchild = Number((await logged(/started (\d+)/))[1]);
    killRunningChildren();
    assert.equal((await started.exited).signal, "SIGKILL");
    await exits(grandchild);
  });

  it("a child process inherits the environment without the variables that are undefined", async () => {
    process.env["CHILD_TEST_REMOVED"] = "x";
    await shell('echo "[$CHILD_TEST_ADDED][$CHILD_TEST_REMOVED]"', {
      CHILD_TEST_ADDED: "a",
      CHILD_TEST_REMOVED: undefined,
    });
    delete process.env["CHILD_TEST_REMOVED"];
    await logged(/\[a\]\[\]/);
  });

  it("the error names the command that cannot be started", async () => {
    const options = { name: "the tool", command: "/no/such/tool", args: [], logFile: path.join(directory, "log") };
    await assert.rejects(startChildProcess(options), /Cannot start the tool \(\/no\/such\/tool\)/);
  });
});
