import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { freePort } from "@eventlogger/process/ports";
import { answers, awaitReady } from "@eventlogger/process/readiness";
import { assembleImage } from "@eventlogger/tools/images/assemble";

const PROJECT = "demo-project";

/** Runs the contents of the ingest image as its Dockerfile does, without Docker. */
describe("Contents of the ingest image", () => {
  let directory: string;
  let app: string;
  let pubsub: PubSubEmulator;
  let replica: ChildProcess | undefined;
  let port: number;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "ingest-image-"));
    app = join(directory, "app");
    assembleImage("ingest", app);
    pubsub = await startPubSubEmulator({ logFile: join(directory, "pubsub.log") });
    port = await freePort();
  });
  after(async () => {
    await replica?.stop();
    await pubsub?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const healthcheck = (): Promise<unknown> =>
    promisify(execFile)(process.execPath, ["node_modules/@eventlogger/options/dist/healthcheck.js"], {
      cwd: app,
      env: { ...process.env, PORT: String(port) },
    });

  it("the contents of the ingest image are enough for a replica that accepts events, serves the client and the dashboard, and stops gracefully", async () => {
    await assert.rejects(healthcheck(), /ECONNREFUSED/);
    const previous = process.env["PUBSUB_EMULATOR_HOST"];
    process.env["PUBSUB_EMULATOR_HOST"] = pubsub.host;
    const client = pubSubClient({ project: PROJECT });
    if (previous === undefined) delete process.env["PUBSUB_EMULATOR_HOST"];
    else process.env["PUBSUB_EMULATOR_HOST"] = previous;
    await client.createTopic("events");
    await client.close();
    replica = await startChildProcess({
      name: "ingest",
      command: process.execPath,
      args: ["node_modules/@eventlogger/ingest/dist/main.js"],
      cwd: app,
      env: { PORT: String(port), PROJECT, PUBSUB_EMULATOR_HOST: pubsub.host },
      logFile: join(directory, "ingest.log"),
    });
    await awaitReady(replica, () => answers(`http://127.0.0.1:${port}/readyz`), 60_000);
    await healthcheck();
    const response = await fetch(`http://127.0.0.1:${port}/event/`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ type: "event", session_id: "s", event_name: "view", event_time: Date.now() }),
    });
    assert.equal(response.status, 204, await response.text());
    const script = await fetch(`http://127.0.0.1:${port}/client/eventlogger.js`);
    assert.equal(script.status, 200, "the image contains the browser client");
    const page = await fetch(`http://127.0.0.1:${port}/dashboard/`);
    assert.equal(page.status, 200, "the image contains the dashboard");
    assert.match(await script.text(), /eventlogger/);
    assert.deepEqual(await replica.stop(30_000), { code: 0, signal: null });
  });

  it("the ingest image contains no Beam, no compiler and no tests", () => {
    const paths = readdirSync(app, { recursive: true, encoding: "utf8" });
    const unwanted = /(^|\/)node_modules\/(apache-beam|typescript|mocha|eslint)$|\.test\.js$|\.ts$/;
    assert.deepEqual(
      paths.filter((path) => unwanted.test(path)),
      [],
    );
  });
});
