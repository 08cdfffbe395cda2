import "../sdk";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { ChannelCredentials } from "@grpc/grpc-js";
import { GrpcTransport } from "@protobuf-ts/grpc-transport";
import { impulse } from "apache-beam";
import { ArtifactFilePayload } from "apache-beam/proto/beam_runner_api";
import { ArtifactRetrievalServiceClient } from "apache-beam/proto/beam_artifact_api.client";
import { bundleParDo, ensureFlinkClasspath, pipe, splittableParDo, stringCoder, type FlinkRun } from "../index";
import * as fixtures from "../testing/fixtures";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { FlinkHarness } from "../testing/flinkHarness";
import {
  assertOnlyLoopback,
  listeningSockets,
  outsideLoopback,
  skipUnlessSocketsAreListed,
} from "../testing/listeningSockets";

const SECRET = "content of a file that has nothing to do with the job";

describe("Listening sockets of a run on embedded Flink", function () {
  this.timeout(120_000);
  let h: FlinkHarness;
  before(function () {
    skipUnlessSocketsAreListed(this);
  });
  beforeEach(() => void (h = new FlinkHarness()));
  afterEach(() => h.close());

  /** Starts a job and waits until a worker has connected. */
  async function startJob(classpath: string): Promise<FlinkRun> {
    const run = await h.start(
      (root) => {
        pipe(
          root,
          impulse(),
          splittableParDo("read", new fixtures.TickingSource(1, 100_000, 100), stringCoder),
          bundleParDo("out", new fixtures.AppendToFile(h.file("out")), stringCoder),
        );
      },
      { classpath },
    );
    await h.until(() => h.lines("out").length > 0, 60_000, "the first element");
    return run;
  }

  /** The ports of the job server that answer a request for a file of this machine with its content. */
  async function portsThatServe(file: string, run: FlinkRun): Promise<number[]> {
    const typePayload = ArtifactFilePayload.toBinary({ path: file, sha256: "" });
    const artifact = { typeUrn: "beam:artifact:type:file:v1", typePayload, roleUrn: "", rolePayload: new Uint8Array() };
    const content = async (port: number): Promise<string> => {
      const channel = new GrpcTransport({
        host: `127.0.0.1:${port}`,
        channelCredentials: ChannelCredentials.createInsecure(),
      });
      try {
        const chunks: Uint8Array[] = [];
        const answer = new ArtifactRetrievalServiceClient(channel).getArtifact({ artifact }, { timeout: 5000 });
        for await (const { data } of answer.responses) chunks.push(data);
        return Buffer.concat(chunks).toString();
      } catch {
        return ""; // refused, or not a service of artifacts
      } finally {
        channel.close();
      }
    };
    const ports = listeningSockets(run.jobServer.process.pid).map(({ port }) => port);
    const contents = await Promise.all(ports.map(content));
    return ports.filter((_, i) => contents[i] === SECRET);
  }

  const portOf = (address: string): number => Number(address.split(":")[1]);

  it("a run on embedded Flink listens on the loopback interface only, and serves no file of the machine", async () => {
    const run = await startJob(await ensureFlinkClasspath({ cacheDir }));
    assertOnlyLoopback(process.pid, [portOf(run.jobServer.endpoint), portOf(run.workers.address)]);
    // Job service, artifact staging, REST endpoint, blob server, and for the worker: control, data, state, logging,
    // artifact retrieval and provisioning. No expansion service.
    const ofJobServer = listeningSockets(run.jobServer.process.pid);
    assert.equal(ofJobServer.length, 10);
    writeFileSync(h.file("secret"), SECRET);
    assert.deepEqual(await portsThatServe(h.file("secret"), run), []);
  });

  it("a run with Beam's own server factory listens on every network interface, and serves any file", async () => {
    const classpath = await ensureFlinkClasspath({ cacheDir });
    const beamsOwn = classpath.split(path.delimiter).slice(1).join(path.delimiter);
    const run = await startJob(beamsOwn);
    const outside = outsideLoopback(listeningSockets(run.jobServer.process.pid));
    // The servers of Beam. The two ports of Flink are bound by its configuration.
    assert.equal(outside.length, 8, outside.join("\n"));
    writeFileSync(h.file("secret"), SECRET);
    assert.equal((await portsThatServe(h.file("secret"), run)).length, 1);
  });
});
