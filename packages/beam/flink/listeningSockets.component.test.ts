import "../sdk";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { ChannelCredentials } from "@grpc/grpc-js";
import { GrpcTransport } from "@protobuf-ts/grpc-transport";
import { ArtifactRetrievalServiceClient } from "apache-beam/proto/beam_artifact_api.client";
import { PrepareJobRequest } from "apache-beam/proto/beam_job_api";
import { JobServiceClient } from "apache-beam/proto/beam_job_api.client";
import { ArtifactFilePayload } from "apache-beam/proto/beam_runner_api";
import { impulse } from "apache-beam";
import { bundleParDo, ensureFlinkClasspath, pipe, splittableParDo, stringCoder, type FlinkRun } from "../index";
import * as fixtures from "../testing/fixtures";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { FlinkHarness, LIMIT_MS } from "../testing/flinkHarness";
import {
  assertOnlyLoopback,
  listeningSockets,
  outsideLoopback,
  skipUnlessSocketsAreListed,
} from "../testing/listeningSockets";

const SECRET = "content of a file that has nothing to do with the job";

describe("Listening sockets of a run on embedded Flink", function () {
  this.timeout(400_000);
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
    await h.until(() => h.lines("out").length > 0, LIMIT_MS, "the first element");
    return run;
  }

  /** A connection of another user of the machine, who does not know the token of the run. */
  function connect<T>(host: string, use: (transport: GrpcTransport) => Promise<T>): Promise<T> {
    const transport = new GrpcTransport({
      host,
      channelCredentials: ChannelCredentials.createInsecure(),
      timeout: 5000,
    });
    return use(transport).finally(() => transport.close());
  }

  /** What the artifact services of a run answer to a request for a file: its content, or an error. */
  function requestFile(run: FlinkRun, file: string): Promise<string[]> {
    const artifact = {
      typeUrn: "beam:artifact:type:file:v1",
      typePayload: ArtifactFilePayload.toBinary({ path: file, sha256: "" }),
      roleUrn: "",
      rolePayload: new Uint8Array(),
    };
    const answers = listeningSockets(run.jobServer.process.pid).map(({ port }) =>
      connect(`127.0.0.1:${port}`, async (transport) => {
        let text = "";
        for await (const { data } of new ArtifactRetrievalServiceClient(transport).getArtifact({ artifact })
          .responses) {
          text += Buffer.from(data).toString();
        }
        return text;
      }).catch((error: unknown) => String((error as { code?: unknown }).code)),
    );
    return Promise.all(answers);
  }

  const portOf = (address: string): number => Number(address.split(":")[1]);

  it("a run on embedded Flink listens on the loopback interface only, and serves no file and runs no job without its access token", async () => {
    const run = await startJob(await ensureFlinkClasspath({ cacheDir }));
    assertOnlyLoopback(process.pid, [portOf(run.jobServer.endpoint), portOf(run.poolAddress)]);
    // Job service, artifact staging, REST endpoint, blob server, and for the worker: control, data, state, logging,
    // artifact retrieval and provisioning. No expansion service.
    const ofJobServer = listeningSockets(run.jobServer.process.pid);
    assert.equal(ofJobServer.length, 10);
    writeFileSync(h.file("secret"), SECRET);
    const answers = await requestFile(run, h.file("secret"));
    // One server has an artifact retrieval service; the others do not know the call.
    const refused = answers.filter((answer) => answer === "UNAUTHENTICATED");
    assert.deepEqual([refused.length, answers.includes(SECRET)], [1, false], answers.join());
    await assert.rejects(
      connect(run.jobServer.endpoint, (transport) =>
        new JobServiceClient(transport)
          .prepare(PrepareJobRequest.create({ jobName: "another" }))
          .response.then(() => {}),
      ),
      { code: "UNAUTHENTICATED" },
    );
  });

  it("a run with Beam's own server factory listens on every network interface, and serves any file", async () => {
    const run = await startJob(await h.beamsOwnClasspath());
    const outside = outsideLoopback(listeningSockets(run.jobServer.process.pid));
    // The servers of Beam. The two ports of Flink are bound by its configuration.
    assert.equal(outside.length, 8, outside.join("\n"));
    writeFileSync(h.file("secret"), SECRET);
    assert.ok((await requestFile(run, h.file("secret"))).includes(SECRET));
  });
});
