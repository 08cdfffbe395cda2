import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { useIngest, type TestReplica } from "@eventlogger/ingest/testing/fixture";
import { eventsInFlight } from "@eventlogger/ingest/testing/metrics";
import { sampleEvent } from "@eventlogger/ingest/testing/requests";
import { block, readModule, resolved, resource, type Body, type TerraformModule } from "./testing/terraformModule";

const KEY = "a-key-of-the-test";
/** Time until Cloud Run kills an instance after SIGTERM; ms. https://cloud.google.com/run/docs/container-contract */
const CLOUD_RUN_GRACE_MS = 10_000;

/** Runs ingest as Cloud Run does: with the settings of the Terraform module, PORT, and mounted key files. */
describe("Ingest on Cloud Run", () => {
  const ingest = useIngest();
  let directory: string;
  let module: TerraformModule;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "cloud-run-"));
    writeFileSync(join(directory, "keys"), `${KEY}\n`);
    module = await readModule();
  });
  after(() => rmSync(directory, { recursive: true }));

  async function startReplica(): Promise<TestReplica> {
    const { name } = await ingest.freshTopic();
    const values = { project: ingest.pubsub.projectId, topic: name, region: "europe-west1" };
    const settings = resolved(module, module.locals.get("own_settings"), values) as Record<string, string>;
    const keys = join(directory, "keys");
    // The fixture sets PORT, as Cloud Run does.
    return ingest.startReplica({ ...settings, WRITE_KEYS_FILE: keys, READ_KEYS_FILE: keys });
  }
  const post = (replica: TestReplica, headers: Readonly<Record<string, string>> = { "x-write-key": KEY }) =>
    fetch(`${replica.url}/event/`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(sampleEvent()),
    });
  const probePath = (probe: string): unknown => {
    const service = resource(module, "google_cloud_run_v2_service.ingest");
    const container: Body = block(block(service, "template"), "containers");
    return block(block(container, probe), "http_get")["path"];
  };

  it("ingest with the settings of the module answers the probes, and accepts events with a key only", async () => {
    const replica = await startReplica();
    for (const probe of ["startup_probe", "liveness_probe"])
      assert.equal((await fetch(`${replica.url}${String(probePath(probe))}`)).status, 200, probe);
    assert.equal((await post(replica)).status, 204);
    assert.equal((await post(replica, {})).status, 401);
  });

  it("an instance that is stopped while Pub/Sub does not answer answers its requests and exits before Cloud Run kills it", async () => {
    const replica = await startReplica();
    assert.equal((await post(replica)).status, 204);
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    try {
      const waiting = post(replica);
      await eventsInFlight(replica.url, 1);
      const stoppedAt = performance.now();
      process.kill(replica.process.pid, "SIGTERM");
      assert.equal((await waiting).status, 503);
      assert.deepEqual(await replica.process.exited, { code: 0, signal: null });
      assert.ok(performance.now() - stoppedAt < CLOUD_RUN_GRACE_MS);
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
  });

  it("an instance without a CPU between requests would look overloaded, so the module gives it one", async () => {
    const replica = await startReplica();
    assert.equal((await post(replica)).status, 204);
    for (let i = 0; i < 2; i++) {
      process.kill(replica.process.pid, "SIGSTOP");
      await pause(2600);
      process.kill(replica.process.pid, "SIGCONT");
      await pause(50);
    }
    assert.equal((await post(replica)).status, 503);
    const service = resource(module, "google_cloud_run_v2_service.ingest");
    const container = block(block(service, "template"), "containers");
    assert.equal(block(container, "resources")["cpu_idle"], false);
  });
});
