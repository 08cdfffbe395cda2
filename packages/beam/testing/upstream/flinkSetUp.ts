/**
 * Loaded before upstream's tests on Flink: one job server and one worker pool for all of them, and every runner that a test
 * creates is one that submits to this server.
 */
import "../../sdk";
import "../../index";
import path from "node:path";
import { impulse } from "apache-beam";
import runners = require("apache-beam/runners/runner");
import directRunners = require("apache-beam/runners/direct_runner");
import { ChannelCredentials } from "@grpc/grpc-js";
import { GrpcTransport } from "@protobuf-ts/grpc-transport";
import { JobServiceClient } from "apache-beam/proto/beam_job_api.client";
import { JobState_Enum } from "apache-beam/proto/beam_job_api";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import type { MonitoringInfo } from "apache-beam/proto/metrics";
import { submitJob } from "../../flink/job";
import { startJobServer, type JobServer } from "../../flink/jobServer";
import type { Job } from "../../job/handle";
import { startWorkerPool, type WorkerPool } from "../../worker/pool";
import { encodeStartParameters } from "../../worker/startParameters";
import { exceptionFor } from "./suite";

/** Set by the test that starts this process. */
const { UPSTREAM_CLASSPATH: classpath = "", UPSTREAM_LOGS: logDir = "." } = process.env;

/** Time limit of a test. */
const TEST_LIMIT_MS = 120_000;

let server: JobServer;
let pool: WorkerPool;
let jobs = 0;

class FlinkResult extends runners.PipelineResult {
  constructor(private readonly job: Job) {
    super();
  }
  override async waitUntilFinish(): Promise<JobState_Enum> {
    return JobState_Enum[await this.job.finished];
  }
  override async rawMetrics(): Promise<MonitoringInfo[]> {
    const transport = new GrpcTransport({
      host: server.endpoint,
      channelCredentials: ChannelCredentials.createInsecure(),
    });
    const { metrics } = await new JobServiceClient(transport).getJobMetrics({ jobId: this.job.id }).response;
    return metrics?.committed ?? [];
  }
}

class FlinkRunner extends runners.Runner {
  async runPipeline(pipeline: runnerApi.Pipeline): Promise<FlinkResult> {
    const jobName = `upstream-${++jobs}`;
    const parameters = encodeStartParameters({ job: jobName, modules: [], env: {}, heapMiB: undefined });
    const target = { address: pool.address, accessToken: undefined, parameters };
    const job = await submitJob(server.endpoint, target, pipeline, { jobName });
    return new FlinkResult(job);
  }
}

const describeElement = (element: unknown): string => typeof element;

const flinkRunner = (): FlinkRunner => new FlinkRunner();
Object.assign(runners, { createRunner: flinkRunner, defaultRunner: flinkRunner, loopbackRunner: flinkRunner });
Object.assign(directRunners, { directRunner: flinkRunner });

export const mochaHooks: Mocha.RootHookObject = {
  async beforeAll(this: Mocha.Context) {
    this.timeout(120_000);
    // With it, upstream runs its tests of portable runners; it has been read by now. A hook of upstream would also run a
    // pipeline without DoFns, whose end Beam's Flink runner never reports.
    delete process.env["BEAM_SERVICE_OVERRIDES"];
    pool = await startWorkerPool({ logFile: path.join(logDir, "workers.log"), requireFrom: __dirname });
    server = await startJobServer({
      classpath,
      workDir: path.join(logDir, "work"),
      logFile: path.join(logDir, "job-server.log"),
      heap: "600m",
    });
    // The first job loads classes for many seconds, and upstream's own first job has a time limit.
    const first = await flinkRunner().run((root) => root.apply(impulse()).map(describeElement));
    await first.waitUntilFinish();
  },
  beforeEach(this: Mocha.Context) {
    const title = this.currentTest?.fullTitle() ?? "";
    // Some tests have limits of their own, for a machine that does nothing else.
    this.currentTest?.timeout(TEST_LIMIT_MS);
    if (exceptionFor(title, "Flink")?.outcome === "left out") this.skip();
  },
  async afterAll(this: Mocha.Context) {
    this.timeout(60_000);
    await server?.stop(2000);
    await pool?.stop();
  },
};
