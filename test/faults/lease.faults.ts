import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { runChange } from "@eventlogger/gcp/bigquery/query";
import { startStack, type Stack } from "@eventlogger/local/stack/stack";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { awaitReady } from "@eventlogger/process/readiness";
import { Traffic } from "../e2e/traffic";

const BIN = path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js");
const START_LIMIT_MS = 180_000;
const RECOVERY_LIMIT_MS = 240_000;

describe("The lease of a dataset", function () {
  this.timeout(600_000);
  const directory = mkdtempSync(path.join(tmpdir(), "eventlogger-lease-"));
  let stack: Stack;
  let traffic: Traffic;
  const runs: ChildProcess[] = [];

  before(async () => {
    stack = await startStack({ port: await freePort(), localDir: path.join(directory, "local"), pipeline: false });
    traffic = new Traffic(stack.url);
  });
  after(async () => {
    for (const run of runs) await run.stop(15_000);
    await stack?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  async function startRun(state: string): Promise<ChildProcess> {
    const run = await startChildProcess({
      name: "eventlogger run",
      command: process.execPath,
      args: [BIN, "run", "--state-dir", path.join(directory, state)],
      env: stack.environment,
      logFile: path.join(directory, `run-${runs.length}.log`),
    });
    runs.push(run);
    return run;
  }
  async function untilRunning(run: ChildProcess): Promise<void> {
    await awaitReady(run, () => /^running /m.test(run.logTail(50)), START_LIMIT_MS);
  }

  it("refuses a second run, and a run whose lease was taken stops; afterwards the rollups are exact", async () => {
    const first = await startRun("first");
    await untilRunning(first);

    const second = await startRun("second");
    assert.equal((await second.exited).code, 1);
    assert.match(
      second.logTail(),
      new RegExp(`Generation 1 of dataset analytics is in use by another run: \\S+:${first.pid}, which has`),
    );

    await traffic.post({ count: 2000, users: 500 }, async () => {
      const bigquery = bigQueryClient({ project: "demo-project", endpoint: stack.environment.BIGQUERY_ENDPOINT });
      const taken = await runChange(
        bigquery,
        `UPDATE \`demo-project.analytics.generations\`
         SET lease_run = 'other', lease_holder = 'elsewhere:1', lease_taken_at = CURRENT_TIMESTAMP(),
             lease_expires_at = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 5 SECOND)
         WHERE status = 'active'`,
      );
      assert.equal(taken, 1);
      assert.equal((await first.exited).code, 1);
      assert.match(
        first.logTail(),
        /This run has lost the lease of generation 1 of dataset analytics: it belongs to elsewhere:1/,
      );
    });

    await untilRunning(await startRun("first"));
    await traffic.assertExact(RECOVERY_LIMIT_MS);
  });
});
