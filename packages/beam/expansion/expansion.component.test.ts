import "../sdk";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir, networkInterfaces } from "node:os";
import path = require("node:path");
import { setTimeout } from "node:timers/promises";
import grpc = require("@grpc/grpc-js");
import { cacheDir } from "@eventlogger/process/packageRoot";
import { ensureExpansionClasspath, startExpansionService, type ExpansionService } from "../index";

/** The answer to a request whose message is empty. */
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

describe("Java expansion service", function () {
  this.timeout(60_000);
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

  it("answers on this machine alone, knows the BigQuery write, and stops", async () => {
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
    assert.equal(service.process.logTail().includes("SLF4J"), false, "its logging is set up");
    await service.stop();
    assert.equal(service.process.running, false);
    assert.equal(await connects("127.0.0.1", port), false);
  });

  it("can be its own worker, takes the port it is given, and options for what it runs", async () => {
    service = await start({});
    const port = Number(service.address.split(":")[1]);
    await service.stop();
    service = await start({ port, loopbackWorker: true, args: ["--project=some-project"] });
    assert.equal(service.address, `localhost:${port}`);
    // It knows the service that starts workers: the request names none.
    await call(service.address, "/org.apache.beam.model.fn_execution.v1.BeamFnExternalWorkerPool/StopWorker");
  });

  it("ends with the process that started it, also when that is killed", async () => {
    const starter = spawn(
      process.execPath,
      [path.join(__dirname, "testing", "startService.js"), classpath, path.join(directory, "log")],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const [address] = (await once(starter.stdout, "data")) as [Buffer];
    const port = Number(address.toString().split(":")[1]);
    assert(await connects("127.0.0.1", port));
    starter.kill("SIGKILL");
    const deadline = Date.now() + 60_000;
    while (await connects("127.0.0.1", port)) {
      assert(Date.now() < deadline, "the service is still there");
      await setTimeout(100);
    }
  });

  it("says why it does not start", async () => {
    await assert.rejects(
      start({ args: ["--noSuchOption=1"] }),
      /Java expansion service exited before it was ready[^]*noSuchOption/,
    );
  });
});
