import assert from "node:assert/strict";
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { waitUntil } from "./wait";

const FIXTURE = require.resolve("./testing/mainFixture");

describe("onStopSignals", () => {
  let child: ChildProcessWithoutNullStreams;
  let output: string;
  afterEach(() => void child.kill("SIGKILL"));

  const outputs = (text: string): Promise<true> =>
    waitUntil(`${JSON.stringify(text)} in the output`, () => output.includes(text), {
      timeoutMs: 10_000,
      details: () => output,
    });

  /** Starts a program and waits until it is ready. */
  async function start(program: string): Promise<{ readonly exit: Promise<unknown[]> }> {
    output = "";
    child = spawn(process.execPath, [FIXTURE, program]);
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const exit = once(child, "close");
    await outputs("ready");
    return { exit };
  }

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`onStopSignals asks for a graceful stop at the first ${signal}`, async () => {
      const { exit } = await start("stops");
      child.kill(signal);
      assert.deepEqual(await exit, [0, null]);
      assert.equal(output, `ready\nstopping by ${signal}\nstopped by ${signal}: Stopped by ${signal}\n`);
    });
  }

  it("onStopSignals exits at the second signal with 128 plus its number", async () => {
    const { exit } = await start("hangs");
    child.kill("SIGINT");
    await outputs("stopping by SIGINT");
    child.kill("SIGTERM");
    assert.deepEqual(await exit, [143, null]);
  });

  it("onStopSignals exits at the third signal when beforeExit hangs, with the given exit code", async () => {
    const { exit } = await start("hangsInBeforeExit");
    child.kill("SIGINT");
    await outputs("stopping");
    child.kill("SIGINT");
    await outputs("cleaning up");
    child.kill("SIGINT");
    assert.deepEqual(await exit, [1, null]);
  });

  it("onStopSignals leaves the signals to their default action after dispose", async () => {
    const { exit } = await start("disposes");
    child.kill("SIGTERM");
    assert.deepEqual(await exit, [null, "SIGTERM"]);
  });
});
