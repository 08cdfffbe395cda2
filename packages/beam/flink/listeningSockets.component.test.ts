import "../sdk";
import assert from "node:assert/strict";
import path from "node:path";
import { impulse } from "apache-beam";
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

  const portOf = (address: string): number => Number(address.split(":")[1]);

  it("a run on embedded Flink listens on the loopback interface only", async () => {
    const run = await startJob(await ensureFlinkClasspath({ cacheDir }));
    assertOnlyLoopback(process.pid, [portOf(run.jobServer.endpoint), portOf(run.workers.address)]);
    // Job service, artifact staging, REST endpoint, blob server, and for the worker: control, data, state, logging,
    // artifact retrieval and provisioning. No expansion service.
    const ofJobServer = listeningSockets(run.jobServer.process.pid);
    assert.equal(ofJobServer.length, 10);
  });

  it("a run with Beam's own server factory listens on every network interface", async () => {
    const classpath = await ensureFlinkClasspath({ cacheDir });
    const beamsOwn = classpath.split(path.delimiter).slice(1).join(path.delimiter);
    const run = await startJob(beamsOwn);
    const outside = outsideLoopback(listeningSockets(run.jobServer.process.pid));
    // The servers of Beam. The two ports of Flink are bound by its configuration.
    assert.equal(outside.length, 8, outside.join("\n"));
  });
});
