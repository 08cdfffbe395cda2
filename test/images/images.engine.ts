import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Message } from "@google-cloud/pubsub";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { readDailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { setUpPubSub } from "@eventlogger/gcp/pubsub/setup/setUpPubSub";
import { usePubSubEmulator } from "@eventlogger/gcp/pubsub/testing/usePubSubEmulator";
import { ensureSubmitter } from "@eventlogger/pipeline/runners/dataflow/submitter/environment";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { freePort } from "@eventlogger/process/ports";
import { waitUntil } from "@eventlogger/process/wait";
import { imageReference, packageVersion } from "@eventlogger/tools/images/build";
import { docker, DockerError } from "@eventlogger/tools/images/docker";
import { readOutcome } from "./testing/boundedPipeline";
import { startJobService, type JobService } from "./testing/jobService";
import { launchBounded } from "./testing/launchBounded";

const tag = process.env["IMAGES_TAG"] ?? "";
const WORKER = imageReference("worker", { tag });
const PIPELINE = imageReference("pipeline", { tag });
const INGEST = imageReference("ingest", { tag });
const NGINX = imageReference("nginx", { tag });

interface ImageConfig {
  readonly User: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Entrypoint: readonly string[];
}

async function inspect(image: string): Promise<ImageConfig> {
  return JSON.parse(await docker(["image", "inspect", "--format", "{{json .Config}}", image])) as ImageConfig;
}

/** The words that a shell command prints in a container. */
async function inContainer(image: string, command: string): Promise<string[]> {
  const output = await docker(["run", "--rm", "--network=none", "--entrypoint", "/bin/sh", image, "-c", command]);
  return output.split(/\s+/).filter((word) => word);
}

async function untilHealthy(id: string): Promise<void> {
  const isHealthy = async (): Promise<boolean> =>
    (await docker(["inspect", "--format", "{{.State.Health.Status}}", id])).trim() === "healthy";
  try {
    await waitUntil("the container to be healthy", isHealthy, { timeoutMs: PATIENCE_MS, intervalMs: 200 });
  } catch (error) {
    throw new Error(`${String(error)}:\n${await docker(["logs", id])}`, { cause: error });
  }
}

/** For a container on a busy machine, ms. */
const PATIENCE_MS = 120_000;

/** Stops a container, which must exit with 0 within some seconds. */
async function assertStops(id: string, seconds: number): Promise<void> {
  await docker(["stop", "--time", String(seconds), id]);
  assert.equal((await docker(["inspect", "--format", "{{.State.ExitCode}}", id])).trim(), "0");
}

/** Programs that build, install or download. */
const TOOLS = ["npm", "yarn", "corepack", "tsc", "gcc", "cc", "make", "go", "python3", "git", "curl", "wget"];
const TOOLS_THERE = `for tool in ${TOOLS.join(" ")}; do command -v $tool; done; true`;

for (const image of [WORKER, PIPELINE, INGEST, NGINX]) {
  describe(`Image ${image}`, () => {
    it(`${image} runs as a numeric user other than root`, async () => {
      assert.equal((await inspect(image)).User, "1000:1000");
      assert.deepEqual(await inContainer(image, "id -u"), ["1000"]);
    });

    it(`${image} contains no build tools, no tests and no keys`, async () => {
      assert.deepEqual(await inContainer(image, TOOLS_THERE), []);
      const names = ["*.test.js", ".git", "*.pem", "*.key", ".npmrc", "*.ts"].map((name) => `-name '${name}'`);
      const packages = ["typescript", "mocha"].map((name) => `-path '*/node_modules/${name}'`);
      const unwanted = [...names, ...packages].join(" -o ");
      assert.deepEqual(await inContainer(image, `find /app /opt /root /home ${unwanted} 2>/dev/null; true`), []);
    });

    it(`${image} contains nothing that its user can write`, async () => {
      assert.deepEqual(await inContainer(image, "find /app /opt /usr/local -writable -not -type l"), []);
    });
  });
}

describe("Worker image on an engine", function () {
  const emulator = useBigQueryEmulator();
  let directory: string;
  let jobService: JobService;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "worker-image-"));
    jobService = await startJobService({ python: await ensureSubmitter(), directory, env: {} });
  });
  after(async () => {
    await jobService?.stop();
    const left = (await docker(["ps", "--all", "--quiet", "--filter", `ancestor=${WORKER}`])).split("\n");
    for (const id of left) if (id) await docker(["rm", "--force", id]);
    rmSync(directory, { recursive: true, force: true });
  });

  it("the worker image has the version of its code as a label", async () => {
    const { Labels, Entrypoint } = await inspect(WORKER);
    assert.equal(Labels["org.eventlogger.worker"], packageVersion);
    assert.deepEqual(Entrypoint, ["/opt/apache/beam/boot"]);
  });

  it("the worker image contains one apache-beam, and resolves the modules of the pipeline", async () => {
    assert.deepEqual(await inContainer(WORKER, "find / -path '*/node_modules/apache-beam' 2>/dev/null; true"), [
      "/app/node_modules/apache-beam",
    ]);
    const script = "require('@eventlogger/pipeline/eventPipeline'); console.log('loaded')";
    assert.deepEqual(await inContainer(WORKER, `node -e "${script}"`), ["loaded"]);
  });

  it("the worker image runs the whole pipeline, and its numbers are exact", async () => {
    const dataset = await emulator.datasetWithGeneration();
    const { messages, expected } = await launchBounded({
      jobService,
      image: WORKER,
      target: { project: emulator.project, dataset, endpoint: emulator.emulator.url },
      events: 5000,
    });
    assert.equal(messages, 5002);
    assert.deepEqual(await readOutcome(emulator.bigquery, dataset), expected);
  });
});

describe("Pipeline image on an engine", () => {
  const bigquery = useBigQueryEmulator();
  const pubsub = usePubSubEmulator();
  const containers: string[] = [];

  after(async () => {
    for (const id of containers) await docker(["rm", "--force", "--volumes", id]);
  });

  const settings = (): string[] => [
    ...["--network=host", "--read-only", "--tmpfs", "/tmp:exec", "--env", `PROJECT=${bigquery.project}`],
    ...["--env", `PUBSUB_EMULATOR_HOST=${process.env["PUBSUB_EMULATOR_HOST"] ?? ""}`],
    ...["--env", `BIGQUERY_ENDPOINT=${bigquery.emulator.url}`],
  ];
  const toEnd = (command: string): Promise<string> => docker(["run", "--rm", ...settings(), PIPELINE, command]);

  it("the pipeline image counts events on a read-only file system with a new volume, verifies them, and stops gracefully", async () => {
    await toEnd("setup");
    const args = [
      "--volume",
      "/data",
      ...settings(),
      "--env",
      "HEAP=512m",
      "--env",
      "CHECKPOINT_INTERVAL=1s",
      PIPELINE,
    ];
    const id = (await docker(["run", "--detach", ...args, "run", "--state-dir", "/data/state"])).trim();
    containers.push(id);
    const { data, attributes } = encodeMessage(event({ event_id: "e-1", user_id: "u-1", event_time: Date.now() }));
    await pubsub.pubsub.topic("events").publishMessage({ data, attributes });
    const isCounted = async (): Promise<boolean> => {
      const { days } = await readDailyRollups(bigquery.bigquery, "analytics");
      return days.some(({ active_user_count }) => active_user_count === 1);
    };
    await waitUntil("the person is counted", isCounted).catch(async (error: unknown) => {
      throw new Error(`${String(error)}:\n${await docker(["logs", id])}`, { cause: error });
    });
    await toEnd("verify");
    await assertStops(id, 60);
  });
});

describe("Ingest image on an engine", function () {
  const PROJECT = "demo-project";
  const containers: string[] = [];
  let directory: string;
  let pubsub: PubSubEmulator;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "ingest-image-"));
    pubsub = await startPubSubEmulator({ logFile: join(directory, "pubsub.log") });
    process.env["PUBSUB_EMULATOR_HOST"] = pubsub.host;
  });
  after(async () => {
    for (const id of containers) await docker(["rm", "--force", id]);
    await pubsub?.stop();
    delete process.env["PUBSUB_EMULATOR_HOST"];
    rmSync(directory, { recursive: true, force: true });
  });

  async function start(...args: string[]): Promise<string> {
    const id = (await docker(["run", "--detach", "--read-only", "--health-interval=1s", ...args, INGEST])).trim();
    containers.push(id);
    return id;
  }

  it("the ingest image accepts an event on a read-only file system, and stops gracefully", async () => {
    const client = pubSubClient({ project: PROJECT });
    await setUpPubSub(client, { topic: "events", subscription: "events-pipeline" });
    const port = await freePort();
    const id = await start(
      ...["--network=host", "--env", "HOST=127.0.0.1", "--env", `PORT=${port}`, "--env", `PROJECT=${PROJECT}`],
      ...["--env", `PUBSUB_EMULATOR_HOST=${pubsub.host}`],
    );
    await untilHealthy(id);
    const event = { type: "event", session_id: "s", event_name: "view", event_time: Date.now(), event_id: "e-1" };
    const response = await fetch(`http://127.0.0.1:${port}/event/`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(event),
    });
    assert.equal(response.status, 204, await response.text());
    const published = await new Promise<string>((resolve, reject) => {
      const subscription = client.subscription("events-pipeline");
      subscription.once("message", (message: Message) => {
        message.ack();
        void subscription.close().then(() => resolve(message.data.toString()));
      });
      subscription.once("error", reject);
    });
    assert.equal((JSON.parse(published) as { event_id: string }).event_id, "e-1");
    await client.close();
    await assertStops(id, 20);
  });

  it("the ingest image is reachable at a published port", async () => {
    const port = await freePort();
    const id = await start("--publish", `127.0.0.1:${port}:3000`);
    await untilHealthy(id);
    assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
  });

  it("the health check of the ingest image fails when nothing listens", async () => {
    const check = docker([
      "run",
      "--rm",
      "--entrypoint",
      "node",
      INGEST,
      "node_modules/@eventlogger/options/dist/healthcheck.js",
    ]);
    await assert.rejects(check, (error: unknown) => error instanceof DockerError && /ECONNREFUSED/.test(error.message));
  });
});

describe("Nginx image on an engine", function () {
  const network = `eventlogger-${process.pid}`;
  const containers: string[] = [];

  before(() => docker(["network", "create", network]));
  after(async () => {
    for (const id of containers) await docker(["rm", "--force", id]);
    await docker(["network", "rm", network]);
  });

  async function start(image: string, ...args: string[]): Promise<string> {
    const everywhere = ["--detach", "--read-only", "--health-interval=1s", `--network=${network}`];
    const id = (await docker(["run", ...everywhere, ...args, image])).trim();
    containers.push(id);
    return id;
  }

  const startReplica = (): Promise<string> => start(INGEST, "--network-alias=api");

  async function untilLogged(id: string, text: string): Promise<void> {
    let log = "";
    const isLogged = async (): Promise<boolean> => (log = await docker(["logs", id])).includes(text);
    const limit = { timeoutMs: PATIENCE_MS, intervalMs: 200, details: () => log };
    await waitUntil(`${JSON.stringify(text)} in the log of the container`, isLogged, limit);
  }

  it("the nginx image follows the replicas of a name on a read-only file system, and stops gracefully", async () => {
    await startReplica();
    const second = await startReplica();
    const port = await freePort();
    const args = ["--tmpfs=/run/nginx", "--env=UPSTREAMS=api:3000", `--publish=127.0.0.1:${port}:8080`];
    const id = await start(NGINX, ...args);
    await untilHealthy(id);
    await untilLogged(id, '"replicas":2');
    await untilHealthy(await startReplica());
    await untilLogged(id, "replicas: 2 -> 3");
    await docker(["stop", "--time", "20", second]);
    await untilLogged(id, "replicas: 3 -> 2");
    for (let i = 0; i < 10; i++) assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
    await untilLogged(id, '"path":"/healthz","status":200');
    await assertStops(id, 20);
  });
});
