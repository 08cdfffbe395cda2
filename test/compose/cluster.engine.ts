import assert from "node:assert/strict";
import { answers } from "@eventlogger/process/readiness";
import { waitUntil } from "@eventlogger/process/wait";
import { docker } from "@eventlogger/tools/images/docker";
import { Traffic } from "../e2e/traffic";
import { compose, type ComposeClient } from "./compose";

const CLIENT = (process.env["COMPOSE_CLIENT"] ?? "docker compose").split(" ") as unknown as ComposeClient;
const URL = `http://127.0.0.1:${process.env["PORT"]}`;
const READY_LIMIT_MS = 240_000;
const EXACT_LIMIT_MS = 240_000;

const cluster = (...args: string[]): Promise<string> => compose(CLIENT, args, undefined, "cluster.env");

async function idOf(service: string): Promise<string> {
  const [id] = (await cluster("ps", "--all", "--quiet", service)).split("\n").filter(Boolean);
  assert(id, `${service} has a container`);
  return id;
}

const runLog = async (): Promise<string> => docker(["logs", await idOf("cluster-run")]);

describe("docker-compose.yml with the pipeline on a Flink cluster of two TaskManagers", function () {
  this.timeout(900_000);
  this.bail(true); // each test adds to the data of the one before
  const traffic = new Traffic(URL);

  afterEach(async function () {
    if (this.currentTest?.state !== "failed") return;
    console.log(await cluster("ps", "--all"));
    console.log(await cluster("logs", "--no-color", "--tail", "30"));
  });
  after(async () => {
    await cluster("down", "--volumes");
  });

  it("docker compose starts the cluster, and the pipeline runs on it", async () => {
    await cluster("up", "--detach", "--scale", "api=1");
    await waitUntil("a replica to be ready", () => answers(`${URL}/readyz`), { timeoutMs: READY_LIMIT_MS });
    const isRunning = async (): Promise<boolean> => /^running /m.test(await runLog());
    await waitUntil("the pipeline to run", isRunning, { timeoutMs: READY_LIMIT_MS, intervalMs: 500 });
  });

  it("each worker pool has started a worker", async () => {
    for (const pool of ["worker-pool-1", "worker-pool-2"]) {
      assert.match(await docker(["logs", await idOf(pool)]), /worker \S+ \(process \d+\) serves 127\.0\.0\.1:/, pool);
    }
  });

  for (const service of ["taskmanager-1", "worker-pool-2", "jobmanager"] as const) {
    it(`the rollups are exact after ${service} was killed half-way and started again`, async () => {
      const id = await idOf(service);
      await traffic.post({ seed: service.length, count: 3000, users: 500, shuffleWindow: 500 }, async () => {
        await docker(["kill", id]);
        await docker(["start", id]);
        // Its pool is in the network of the old container's process.
        if (service === "taskmanager-1") await docker(["restart", await idOf("worker-pool-1")]);
      });
      await traffic.assertExact(EXACT_LIMIT_MS);
    });
  }
});
