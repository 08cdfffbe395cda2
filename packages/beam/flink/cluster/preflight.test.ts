import "../../sdk";
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "@eventlogger/process/ports";
import { startWorkerPool, type WorkerPool } from "../../worker/pool";
import { FlinkRest } from "./flinkRest";
import { clusterProblems } from "./preflight";
import { poolAddresses } from "./clusterWorkers";

describe("Preflight checks of a Flink cluster", () => {
  let directory: string;
  let pool: WorkerPool;
  let server: Server;
  let rest: FlinkRest;
  /** What the REST endpoint answers, by path. */
  let answers: Record<string, unknown>;

  beforeEach(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "preflight-"));
    pool = await startWorkerPool({
      logFile: path.join(directory, "log"),
      accessToken: "secret",
      version: "1.0.0",
      serveOthers: { allowedEnv: [] },
    });
    answers = {
      "/jobmanager/config": [{ key: "state.checkpoints.num-retained", value: "2" }],
      "/taskmanagers": {
        taskmanagers: [
          { id: "a", path: "akka.tcp://flink@10.0.0.7:4321/user/rpc/taskmanager_0", slotsNumber: 2, freeSlots: 2 },
          { id: "b", path: "pekko.tcp://flink@worker-2:4321/user/rpc/taskmanager_0", slotsNumber: 2, freeSlots: 1 },
          { id: "c", path: "pekko.tcp://flink@worker-2:4322/user/rpc/taskmanager_0", slotsNumber: 2, freeSlots: 0 },
        ],
      },
    };
    server = createServer((request, response) => {
      const answer = answers[request.url ?? ""];
      response.statusCode = answer === undefined ? 404 : 200;
      response.end(JSON.stringify(answer ?? { errors: ["not found"] }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    rest = new FlinkRest(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterEach(async () => {
    server.close();
    await pool.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const problems = (options: Partial<Parameters<typeof clusterProblems>[0]> = {}): Promise<string[]> =>
    clusterProblems({
      rest,
      addresses: [pool.address],
      accessToken: "secret",
      parallelism: 3,
      version: "1.0.0",
      sharedDirectory: directory,
      slotsTimeoutMs: 200,
      ...options,
    });

  it("a cluster with free slots, reachable pools and a shared folder has no problems, and nothing is left in the folder", async () => {
    assert.deepEqual(await problems(), []);
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.startsWith("cluster-check")),
      [],
    );
  });

  it("without addresses, each host of a TaskManager has a pool on port 50000", async () => {
    assert.deepEqual(await poolAddresses({ rest, accessToken: "" }), ["10.0.0.7:50000", "worker-2:50000"]);
  });

  it("every problem is reported: slots, retained checkpoints, and what is wrong with each pool", async () => {
    answers["/jobmanager/config"] = [];
    const nowhere = `127.0.0.1:${await freePort()}`;
    const found = await problems({ parallelism: 4, version: "2.0.0", addresses: [pool.address, nowhere] });
    assert.equal(found.length, 4, found.join("\n"));
    assert.match(found[0] ?? "", /keeps 1 checkpoint: set state\.checkpoints\.num-retained to 2/);
    assert.match(found[1] ?? "", /has 3 free slots, but --parallelism 4 needs 4/);
    assert.match(found[2] ?? "", /has version 1\.0\.0, but this is version 2\.0\.0/);
    assert.match(found[3] ?? "", new RegExp(`${nowhere} cannot be reached .*Start "eventlogger worker-pool"`));
    assert.match((await problems({ accessToken: "other" })).join("\n"), /has another access token/);
  });

  it("a JobManager that does not answer, or is something else, is an error with its address", async () => {
    const nowhere = new FlinkRest(`127.0.0.1:${await freePort()}`);
    await assert.rejects(problems({ rest: nowhere }), /The Flink cluster at 127.* does not answer .*--flink-master/);
    answers = {};
    await assert.rejects(problems(), /answered 404 to \/jobmanager\/config/);
  });
});
