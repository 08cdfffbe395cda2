import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXPIRED, fakeTokens, writeFakeCredentials } from "@eventlogger/gcp/testing/fakeCredentials";
import { FakeServer } from "@eventlogger/gcp/testing/fakeServer";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { answers, awaitReady } from "@eventlogger/process/readiness";
import { waitUntil } from "@eventlogger/process/wait";
import { errorsOf, post, postBatch, sampleEvent } from "./testing/requests";

describe("a replica without valid Google credentials", () => {
  let directory: string;
  const cleanUp: (() => unknown)[] = [];
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "credentials-"));
    cleanUp.push(() => rmSync(directory, { recursive: true }));
  });
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });

  /** Starts a replica that uses Google's services, with nothing in its environment that leads to credentials. */
  async function startReplica(
    env: Readonly<Record<string, string>> = {},
    nodeFlags: readonly string[] = [],
  ): Promise<{ url: string; child: ChildProcess }> {
    const port = await freePort();
    const child = await startChildProcess({
      name: "ingest replica",
      command: process.execPath,
      args: [...nodeFlags, join(packageRootOf(__filename), "dist", "main.js")],
      env: {
        HOME: directory,
        CLOUDSDK_CONFIG: undefined,
        GOOGLE_APPLICATION_CREDENTIALS: undefined,
        PUBSUB_EMULATOR_HOST: undefined,
        BIGQUERY_ENDPOINT: undefined,
        // Google itself is out of reach of these tests.
        grpc_proxy: "http://127.0.0.1:1",
        // Says that no metadata server is there, which saves the search for one.
        METADATA_SERVER_DETECTION: "none",
        PROJECT: "my-project",
        PORT: String(port),
        ...env,
      },
      logFile: join(directory, "replica.log"),
    });
    cleanUp.push(() => child.stop());
    const url = `http://127.0.0.1:${port}`;
    await awaitReady(child, () => answers(`${url}/healthz`), 40_000);
    return { url, child };
  }

  async function reasonOf(url: string): Promise<string> {
    const readiness = await fetch(`${url}/readyz`);
    assert.equal(readiness.status, 503);
    return ((await readiness.json()) as { reason: string }).reason;
  }

  async function refusesEverything(url: string): Promise<void> {
    for (const response of [await post(url, sampleEvent()), await postBatch(url, [sampleEvent()])]) {
      assert.equal(response.status, 503);
      assert.ok(Number(response.headers.get("retry-after")) >= 1);
      assert.match((await errorsOf(response))[0]?.message ?? "", /no valid Google credentials; nothing was accepted/);
    }
    const reading = await fetch(`${url}/event/`);
    assert.equal(reading.status, 503);
    assert.match((await errorsOf(reading))[0]?.message ?? "", /BigQuery is unavailable/);
  }

  it("ingest without any credentials answers 503, /readyz tells why, and the process stays up", async () => {
    const { url, child } = await startReplica();
    await refusesEverything(url);
    assert.match(await reasonOf(url), /^No valid Google credentials: Could not load the default credentials/);
    await refusesEverything(url);
    assert.ok(child.running);
    const lines = child.logTail(1000);
    assert.match(lines, /"project":"my-project","pubsub":"Google","topic":"events","bigquery":"Google"/);
    assert.equal(lines.split("requests that need them get 503").length, 2, lines);
  });

  it("ingest waits at most a few seconds for a metadata server that does not answer", async () => {
    // Connects, and gets no answer.
    const silent = await FakeServer.start([]);
    cleanUp.push(() => silent.stop());
    silent.fail({ match: /./, answer: "hang" });
    const { url, child } = await startReplica({
      METADATA_SERVER_DETECTION: "assume-present",
      GCE_METADATA_HOST: new URL(silent.url).host,
    });
    await refusesEverything(url);
    assert.match(await reasonOf(url), /Timed out after 4 s: searching for credentials/);
    assert.ok(child.running);
  });

  it("ingest with a file that is no credentials file answers 503 and names the problem", async () => {
    const file = join(directory, "key.json");
    writeFileSync(file, "no JSON");
    const { url, child } = await startReplica({ GOOGLE_APPLICATION_CREDENTIALS: file });
    await refusesEverything(url);
    assert.match(await reasonOf(url), /^No valid Google credentials: .*(JSON|key\.json)/);
    writeFileSync(file, JSON.stringify({ type: "service_account", client_email: "a@b.c", private_key: "no key" }));
    await waitUntil("the new problem", async () => !/JSON/.test(await reasonOf(url)));
    await refusesEverything(url);
    assert.ok(child.running);
  });

  it("ingest with an expired login answers 503, and uses the login again as soon as it works", async () => {
    const tokens = await FakeServer.start([fakeTokens]);
    cleanUp.push(() => tokens.stop());
    tokens.fail({ match: /token/, answer: EXPIRED });
    const { url, child } = await startReplica({
      GOOGLE_APPLICATION_CREDENTIALS: writeFakeCredentials(directory, tokens.url),
      PUBLISH_TIMEOUT: "1s",
    });
    await refusesEverything(url);
    assert.match(await reasonOf(url), /^No valid Google credentials: .*expired or revoked/);
    tokens.reset();
    await waitUntil("the login works", async () => !/credentials/.test(await reasonOf(url)));
    const response = await post(url, sampleEvent());
    assert.equal(response.status, 503);
    assert.match((await errorsOf(response))[0]?.message ?? "", /^Pub\/Sub did not/);
    assert.match(child.logTail(1000), /the Google credentials work again/);
  });

  it("a replica survives rejections that nobody awaits and exceptions of Google's clients, and reports them", async () => {
    const script = join(directory, "throw.cjs");
    const client = join(directory, "node_modules", "google-gax", "build", "src", "fallback.js");
    writeFileSync(
      script,
      `const { Script } = require("node:vm");
       const later = (code, filename) => setTimeout(new Script(code, { filename }).runInThisContext(), 500);
       later("() => void Promise.reject(new Error('nobody awaits this'))", "/app/any.js");
       later("() => { throw new Error('thrown in a callback'); }", ${JSON.stringify(client)});`,
    );
    const { url, child } = await startReplica({}, ["--require", script]);
    const counted = async (): Promise<boolean> =>
      /^ingest_unhandled_errors_total 2$/m.test(await (await fetch(`${url}/metrics`)).text());
    await waitUntil("both errors are counted", counted);
    assert.ok(child.running);
    const lines = child.logTail(1000);
    assert.match(lines, /nobody awaits this[^]*unhandled rejection: the replica continues/);
    assert.match(lines, /thrown in a callback[^]*exception in a client of Google: the replica continues/);
  });

  it("an exception of other code is logged and ends the process", async () => {
    const script = join(directory, "throw.cjs");
    const trigger = join(directory, "now");
    writeFileSync(
      script,
      `const { existsSync } = require("node:fs");
       setInterval(() => { if (existsSync(${JSON.stringify(trigger)})) throw new Error("our mistake"); }, 50).unref();`,
    );
    const { child } = await startReplica({}, ["--require", script]);
    writeFileSync(trigger, "");
    assert.deepEqual(await child.exited, { code: 1, signal: null });
    assert.match(child.logTail(1000), /our mistake[^]*unexpected exception: the replica ends/);
  });
});
