import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { startRecordingProxy, type RecordingProxy } from "@eventlogger/gcp/bigquery/testing/recordingProxy";
import { startStack, type Stack } from "@eventlogger/local/stack/stack";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { awaitReady } from "@eventlogger/process/readiness";
import { refuseEveryRow } from "../e2e/refusals";
import { Traffic } from "../e2e/traffic";

const BIN = path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js");
const PROJECT = "demo-project";
const START_LIMIT_MS = 180_000;
const EXACT_LIMIT_MS = 240_000;
/** How long BigQuery answers 400, and how long it then names every row. */
const EACH_MS = 12_000;
/** Events per second. */
const RATE = 100;

describe("BigQuery refuses every row while events arrive", function () {
  this.timeout(600_000);
  const directory = mkdtempSync(path.join(tmpdir(), "eventlogger-refusals-"));
  let stack: Stack;
  let proxy: RecordingProxy;
  let run: ChildProcess;

  before(async () => {
    stack = await startStack({ port: await freePort(), localDir: path.join(directory, "local"), pipeline: false });
    proxy = await startRecordingProxy(stack.environment.BIGQUERY_ENDPOINT);
    run = await startChildProcess({
      name: "eventlogger run",
      command: process.execPath,
      args: [BIN, "run", "--state-dir", path.join(directory, "state")],
      env: { ...stack.environment, BIGQUERY_ENDPOINT: proxy.url },
      logFile: path.join(directory, "run.log"),
    });
    await awaitReady(run, () => /^running /m.test(run.logTail(50)), START_LIMIT_MS);
  });
  after(async () => {
    await run?.stop(15_000);
    await proxy?.stop();
    await stack?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it("every acknowledged event is stored, none is a dead letter, and the rollups are exact", async () => {
    const traffic = new Traffic(stack.url);
    // The refusals begin with the second half, which takes longer than they do.
    const count = (2 * RATE * 2.5 * EACH_MS) / 1000;
    await traffic.post({ count, users: 1000 }, () => refuseEveryRow(proxy, EACH_MS), RATE);
    await traffic.assertExact(EXACT_LIMIT_MS);
    const bigquery = bigQueryClient({ project: PROJECT, endpoint: stack.environment.BIGQUERY_ENDPOINT });
    assert.deepEqual(await traffic.untilAccounted(bigquery, EXACT_LIMIT_MS), []);
    const verified = execFileSync(process.execPath, [BIN, "verify"], { env: { ...process.env, ...stack.environment } });
    assert.match(verified.toString(), /^equal \d+ days equal/m);
  });
});
