import "../sdk";
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as grpc from "@grpc/grpc-js";
import { StartWorkerRequest, StopWorkerRequest } from "apache-beam/proto/beam_fn_api";
import { BeamFnExternalWorkerPoolClient } from "apache-beam/proto/beam_fn_api.grpc-client";
import { MiniRunner } from "../testing/miniRunner";
import * as fixtures from "../testing/fixtures";
import { requestWorker } from "../testing/requestWorker";
import { bundleParDo, pipe, splittableParDo, stringCoder, type Failure } from "../index";
import { getRegisteredModules } from "apache-beam/serialization";
import { waitUntil } from "@eventlogger/process/wait";
import { encodeStartParameters } from "./startParameters";
import { PoolStatusClient } from "./poolStatus";
import { startWorkerPool, type WorkerPool, type WorkerPoolOptions } from "./pool";

describe("Worker pool", () => {
  let directory: string;
  let runner: MiniRunner;
  let pool: WorkerPool;
  let exits: string[];
  beforeEach(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "pool-"));
    runner = await MiniRunner.start({ ownWorker: false });
    exits = [];
  });
  afterEach(async () => {
    await pool.stop();
    runner.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const file = (name: string): string => path.join(directory, name);
  const read = (name: string): string => (existsSync(file(name)) ? readFileSync(file(name), "utf8") : "");

  async function start(options: Partial<WorkerPoolOptions> = {}): Promise<void> {
    const onUnexpectedExit = (id: string, status: string): void => void exits.push(`${id} ${status}`);
    pool = await startWorkerPool({ logFile: file("log"), onUnexpectedExit, ...options });
  }

  /** Requests a worker, as runners do; returns the error text of the response. */
  function askForWorker(params: Record<string, string> = {}, workerId = "w1"): Promise<string> {
    return requestWorker(pool.address, { workerId, controlUrl: runner.address, params });
  }

  /** Makes a worker read from a source; the bundle then waits to be finalized. */
  async function readOnce(): Promise<void> {
    const source = new fixtures.CountingSource(100, 10, file("finalized"));
    await runner.describe("read", (input) => pipe(input as never, splittableParDo("read", source, stringCoder)));
    const restriction = Buffer.from(JSON.stringify({ next: 0 }));
    const { output } = await runner.run("read", [[{ key: { key: new Uint8Array(), value: restriction }, value: 1 }]]);
    assert.equal(output.length, 10);
  }

  it("a pool with an access token starts a worker only for a request with it", async () => {
    await start({ accessToken: "secret" });
    await assert.rejects(askForWorker(), { code: grpc.status.UNAUTHENTICATED });
    await assert.rejects(askForWorker({ access_token: "other" }), { code: grpc.status.UNAUTHENTICATED });
    assert.deepEqual(pool.pids, []);
    assert.equal(await askForWorker({ access_token: "secret" }), "");
    assert.equal(pool.pids.length, 1);
  });

  it("stopping the pool makes sources nack the messages that they hold", async () => {
    await start();
    assert.equal(await askForWorker(), "");
    await runner.connected;
    await readOnce();
    assert.equal(pool.pids.length, 1);
    await pool.stop();
    assert.equal(read("finalized"), "abort 0-10\n");
    assert.match(read("log"), /worker w1 stops: SIGTERM/);
    assert.deepEqual([pool.pids, pool.unexpectedExits, exits], [[], 0, []]);
    await assert.rejects(askForWorker(), /UNAVAILABLE/);
  });

  it("a worker stops by itself when the runner closes the control stream", async () => {
    await start();
    await askForWorker();
    await runner.connected;
    await readOnce();
    runner.endControl();
    await runner.until(() => pool.pids.length === 0, "the exit of the worker");
    assert.equal(read("finalized"), "abort 0-10\n");
    assert.deepEqual([pool.unexpectedExits, exits], [0, []]);
  });

  it("each start of a worker gets its own environment, and a start whose environment fails is refused", async () => {
    let starts = 0;
    const preload = file("preload.js");
    writeFileSync(preload, "console.log(`start ${process.env.START}`)");
    await start({
      nodeArgs: ["--require", preload],
      envOfStart: () => {
        if (++starts > 2) throw new Error("the disk is full");
        return { START: String(starts) };
      },
    });
    assert.deepEqual([await askForWorker({}, "w1"), await askForWorker({}, "w2")], ["", ""]);
    assert.match(await askForWorker({}, "w3"), /the disk is full/);
    await runner.until(() => /start 1\n[^]*start 2\n|start 2\n[^]*start 1\n/.test(read("log")), "both workers");
  });

  it("a worker runs although its log cannot be written, because the disk is full", async function () {
    if (!existsSync("/dev/full")) this.skip();
    await start({ logFile: "/dev/full" });
    await askForWorker();
    await runner.connected;
    await readOnce();
    assert.equal(pool.pids.length, 1);
  });

  it("the pool shows the gauges of running workers, and the failures of bundles", async () => {
    const failures: Failure[] = [];
    await start({ onFailure: (failure) => failures.push(failure) });
    await askForWorker();
    await runner.connected;
    await runner.describe("fail", (input) =>
      pipe(input as never, bundleParDo("fail", new fixtures.FailWithGauge(7), stringCoder)),
    );
    await runner.run("fail", [["x"]]).catch(() => {});
    await runner.until(() => pool.gauges["test"] === 7 && failures.length > 0, "the reports of the worker");
    assert.deepEqual(failures, [{ what: "a bundle", error: "the bundle fails" }]);
    runner.endControl();
    await runner.until(() => pool.pids.length === 0, "the exit of the worker");
    assert.deepEqual(pool.gauges, {});
  });

  it("a pool for other launchers runs workers as the request says, refuses other variables, and reports each job", async () => {
    await start({ accessToken: "secret", version: "1.2.3", serveOthers: { allowedEnv: ["START"] } });
    const modules = getRegisteredModules();
    const request = (job: string, env: Record<string, string>): Record<string, string> => ({
      access_token: "secret",
      start: job,
      ...encodeStartParameters({ job, modules, env, heapMiB: 256 }),
    });
    assert.match(await askForWorker({ access_token: "secret" }), /names no job/);
    assert.match(
      await askForWorker(request("a/1", { NODE_OPTIONS: "--inspect" })),
      /sets the environment variable NODE/,
    );
    assert.equal(await askForWorker(request("a/1", { START: "1" })), "");
    await runner.connected;
    await runner.describe("fail", (input) =>
      pipe(input as never, bundleParDo("fail", new fixtures.FailWithGauge(7), stringCoder)),
    );
    await runner.run("fail", [["x"]]).catch(() => {});
    const client = new PoolStatusClient(pool.address, "secret");
    const stranger = new PoolStatusClient(pool.address, "wrong");
    try {
      const status = (job: string, failuresAfter = 0) => client.status({ job, failuresAfter });
      await waitUntil("the gauge", async () => (await status("a/")).gauges["test"] === 7);
      const { workers, version, failures } = await status("a/");
      assert.deepEqual([workers, version], [1, "1.2.3"]);
      assert.deepEqual(
        failures.map(({ what }) => what),
        ["starting a worker", "a bundle"],
      );
      assert.deepEqual((await status("a/", 3)).failures, []);
      const other = await status("b/");
      assert.deepEqual([other.workers, other.gauges, other.failures], [0, {}, []]);
      await assert.rejects(stranger.status({ job: "", failuresAfter: 0 }), { code: grpc.status.UNAUTHENTICATED });
    } finally {
      client.close();
      stranger.close();
    }
  });

  /** A program that is loaded before the worker, and never lets it start. */
  function hang(): readonly string[] {
    const preload = file("hang.js");
    writeFileSync(preload, "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)");
    return ["--require", preload];
  }

  it("a worker that still starts is stopped when the runner cancels its request", async () => {
    await start({ nodeArgs: hang() });
    const client = new BeamFnExternalWorkerPoolClient(pool.address, grpc.ChannelCredentials.createInsecure());
    const request = StartWorkerRequest.create({ workerId: "w1", controlEndpoint: { url: runner.address } });
    const answer = new Promise<grpc.ServiceError | null>((resolve) => {
      const call = client.startWorker(request, resolve);
      void runner.until(() => pool.pids.length === 1, "the worker").then(() => call.cancel());
    });
    assert.equal((await answer)?.code, grpc.status.CANCELLED);
    await runner.until(() => pool.pids.length === 0, "the exit of the worker");
    assert.deepEqual(exits, []);
    client.close();
  });

  it("a pool stops the workers of one job on request, also one that hangs, and answers when they have exited", async () => {
    await start({ accessToken: "secret", serveOthers: { allowedEnv: [] }, nodeArgs: hang() });
    const modules = getRegisteredModules();
    for (const job of ["a/1", "b/1"]) {
      const params = encodeStartParameters({ job, modules, env: {}, heapMiB: undefined });
      const request = {
        workerId: job,
        controlUrl: runner.address,
        params: { ...params, access_token: "secret", start: job },
      };
      void requestWorker(pool.address, request).catch(() => {}); // is never answered
    }
    await runner.until(() => pool.pids.length === 2, "both workers");
    const client = new PoolStatusClient(pool.address, "secret");
    const stranger = new PoolStatusClient(pool.address, "wrong");
    try {
      await assert.rejects(stranger.stopWorkers({ job: "a/" }), { code: grpc.status.UNAUTHENTICATED });
      await assert.rejects(client.stopWorkers({ job: "" }), /names no job/);
      assert.deepEqual(await client.stopWorkers({ job: "a/" }), { workers: 1 });
      assert.equal(pool.pids.length, 1);
      const { workers } = await client.status({ job: "b/", failuresAfter: 0 });
      assert.equal(workers, 1);
    } finally {
      client.close();
      stranger.close();
    }
  });

  it("a pool stops a worker by the id of its start, because two jobs may use the same worker id", async () => {
    await start();
    assert.equal(await askForWorker({ start: "x" }, "w1"), "");
    assert.equal(await askForWorker({ start: "y" }, "w1"), "");
    assert.equal(pool.pids.length, 2);
    const client = new BeamFnExternalWorkerPoolClient(pool.address, grpc.ChannelCredentials.createInsecure());
    client.stopWorker(StopWorkerRequest.create({ workerId: "x" }), () => {});
    await runner.until(() => pool.pids.length === 1, "the exit of one worker");
    client.close();
    assert.deepEqual(exits, []);
  });

  it("the pool reports a worker that was killed", async () => {
    await start();
    await askForWorker();
    await runner.connected;
    process.kill(pool.pids[0] as number, "SIGKILL");
    await runner.until(() => pool.unexpectedExits === 1, "the exit of the worker");
    assert.deepEqual(exits, ["w1 was killed by SIGKILL"]);
  });

  it("the pool reports a worker that cannot start, and logs the reason", async () => {
    await start({ requireFrom: file("nowhere") });
    await askForWorker();
    await runner.until(() => pool.unexpectedExits === 1, "the exit of the worker");
    assert.deepEqual(exits, ["w1 exited with code 1"]);
    assert.match(read("log"), /Cannot find module/);
  });
});
