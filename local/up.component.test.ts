import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { waitUntil } from "@eventlogger/process/wait";
import { markedProcesses } from "./stack/processMarker";

/** A stop takes 15 s at most; the rest is for a busy machine, ms. */
const STOP_LIMIT_MS = 25_000;

describe("npm run up", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "npm-run-up-"))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`npm run up gets ready, serves, and leaves no process behind when npm gets ${signal}`, async () => {
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
      const isReady = (): boolean => {
        assert.equal(npm.exitCode, null, output);
        return output.includes(`ready http://localhost:${port}`);
      };
      await waitUntil("npm run up to be ready", isReady, { timeoutMs: 240_000, details: () => output });
      const answer = await fetch(`http://localhost:${port}/event/`);
      assert.deepEqual(((await answer.json()) as { daily_stats: unknown }).daily_stats, []);
      const isRefreshed = async (): Promise<boolean> => {
        const response = await fetch(`http://localhost:${port}/breakdowns/?dimension=properties.plan`);
        return ((await response.json()) as { refreshed_at: string | null }).refreshed_at !== null;
      };
      await waitUntil("the first refresh of the breakdowns", isRefreshed, { details: () => output });
      const id = stackId(join(directory, "local"));
      assert(markedProcesses(id).length > 0, "the processes of the stack are found");

      npm.kill(signal);
      await exited;
      const isGone = (): boolean => markedProcesses(id).length === 0;
      await waitUntil("all processes to stop", isGone, { timeoutMs: STOP_LIMIT_MS, details: () => output });
      await assert.rejects(fetch(`http://localhost:${port}/healthz`));
    });
  }
});

function stackId(localDir: string): string {
  const record = JSON.parse(readFileSync(join(localDir, "stack.json"), "utf8")) as { id: string };
  return record.id;
}
