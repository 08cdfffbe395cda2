import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { markedProcesses } from "./stack/mark";

/** The product's promise for Ctrl-C and SIGTERM. */
const STOPS_WITHIN_MS = 15_000;

describe("npm run up", function () {
  this.timeout(300_000);
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "npm-run-up-"))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`is ready, serves, and leaves nothing behind when npm gets ${signal}`, async () => {
      const port = await freePort();
      const npm = spawn("npm", ["run", "up"], {
        cwd: repositoryRoot,
        env: { ...process.env, PORT: String(port), LOCAL_DIR: join(directory, "local") },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let output = "";
      npm.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
      npm.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
      const exited = once(npm, "exit");
      while (!output.includes(`ready http://localhost:${port}`)) {
        assert.equal(npm.exitCode, null, output);
        await sleep(200);
      }
      const answer = await fetch(`http://localhost:${port}/event/`);
      assert.deepEqual(((await answer.json()) as { daily_stats: unknown }).daily_stats, []);
      const id = stackId(join(directory, "local"));
      assert(markedProcesses(id).length > 0, "the processes of the stack can be found");

      const signalled = Date.now();
      npm.kill(signal);
      await exited;
      while (markedProcesses(id).length > 0) {
        assert(Date.now() - signalled < STOPS_WITHIN_MS, `still running after ${STOPS_WITHIN_MS} ms: ${output}`);
        await sleep(100);
      }
      await assert.rejects(fetch(`http://localhost:${port}/healthz`));
    });
  }
});

function stackId(localDir: string): string {
  const record = JSON.parse(readFileSync(join(localDir, "stack.json"), "utf8")) as { id: string };
  return record.id;
}
