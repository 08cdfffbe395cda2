import "../sdk";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir, networkInterfaces } from "node:os";
import path from "node:path";
import * as grpc from "@grpc/grpc-js";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { waitUntil } from "@eventlogger/process/wait";
import { ensureExpansionClasspath, startExpansionService, type ExpansionService } from "../index";

/** Sends an empty message; returns the response. */
function call(address: string, method: string): Promise<Buffer> {
  const same = (bytes: Buffer): Buffer => bytes;
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), { "grpc.max_receive_message_length": -1 });
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(method, same, same, Buffer.alloc(0), (error, answer) =>
      error ? reject(error) : resolve(answer as Buffer),
    );
  }).finally(() => client.close());
}

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => resolve((socket.destroy(), true)));
    socket.once("error", () => resolve(false));
  });
}

describe("Java expansion service", () => {
  let classpath: string;
  let directory: string;
  let service: ExpansionService | undefined;
  before(async function () {
    this.timeout(600_000); // the first run builds it
    classpath = await ensureExpansionClasspath({ cacheDir });
    directory = mkdtempSync(path.join(tmpdir(), "expansion-"));
  });
  afterEach(() => service?.stop());
  after(() => rmSync(directory, { recursive: true, force: true }));

  const start = (options: Partial<Parameters<typeof startExpansionService>[0]>): Promise<ExpansionService> =>
    startExpansionService({ classpath, logFile: path.join(directory, "log"), ...options });

  it("the service listens on the loopback interface only, has the BigQuery write, and stops", async () => {
    service = await start({});
    const { address } = service;
    const discovered = await call(
      address,
      "/org.apache.beam.model.expansion.v1.ExpansionService/DiscoverSchemaTransform",
    );
    assert(discovered.includes("beam:schematransform:org.apache.beam:bigquery_storage_write:v2"));
    const port = Number(address.split(":")[1]);
    assert(await connects("127.0.0.1", port));
    const others = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    for (const other of others.filter((a) => !a.internal && a.family === "IPv4")) {
      assert.equal(await connects(other.address, port), false, `listens on ${other.address}`);
    }
    assert.equal(service.process.logTail().includes("SLF4J"), false, "its logging is not configured");
    await service.stop();
    assert.equal(service.process.running, false);
    assert.equal(await connects("127.0.0.1", port), false);
  });

  it("the service can be its own worker, on a given port and with pipeline options", async () => {
    service = await start({});
    const port = Number(service.address.split(":")[1]);
    await service.stop();
    service = await start({ port, loopbackWorker: true, args: ["--project=some-project"] });
    assert.equal(service.address, `localhost:${port}`);
    // It has the service that starts workers.
    await call(service.address, "/org.apache.beam.model.fn_execution.v1.BeamFnExternalWorkerPool/StopWorker");
  });

  it("the service exits when the process that started it is killed", async () => {
    const starter = spawn(
      process.execPath,
      [require.resolve("./testing/startService"), classpath, path.join(directory, "log")],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const [address] = (await once(starter.stdout, "data")) as [Buffer];
    const port = Number(address.toString().split(":")[1]);
    assert(await connects("127.0.0.1", port));
    starter.kill("SIGKILL");
    await waitUntil("the exit of the service", async () => !(await connects("127.0.0.1", port)), {
      timeoutMs: 60_000,
      intervalMs: 100,
    });
  });

  it("the error of a service that does not start contains its log", async () => {
    await assert.rejects(
      start({ args: ["--noSuchOption=1"] }),
      /Java expansion service exited before it was ready[^]*noSuchOption/,
    );
  });
});
