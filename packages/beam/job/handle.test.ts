import "../sdk";
import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { JobState_Enum, MetricResults } from "apache-beam/proto/beam_job_api";
import { MonitoringInfo } from "apache-beam/proto/metrics";
import { buildPipeline, JobFailedError, runJob, type Job } from "../index";
import { impulse } from "apache-beam";
import { startJobService, type JobServiceOptions, type TestJobService } from "../testing/jobService";

describe("A submitted job", () => {
  let service: TestJobService | undefined;
  let job: Job;
  afterEach(() => {
    job.close();
    service?.stop();
  });

  async function submit(options: JobServiceOptions): Promise<Job> {
    service = await startJobService(options);
    job = await runJob(service.address, await buildPipeline((root) => root.apply(impulse())), "test");
    return job;
  }
  const { RUNNING, STARTING, FAILED, DONE, DRAINED, UPDATED, CANCELLED, DRAINING, CANCELLING } = JobState_Enum;
  /** The states in their order; the last one stays. */
  const inOrder =
    (...states: ReturnType<JobServiceOptions["state"]>[]): JobServiceOptions["state"] =>
    (question) =>
      states[Math.min(question, states.length - 1)] as JobState_Enum;

  for (const [name, ...states] of [
    ["DONE", STARTING, RUNNING, DONE],
    ["DRAINED", RUNNING, DRAINING, DRAINED],
    ["UPDATED", RUNNING, UPDATED],
    ["CANCELLED", RUNNING, CANCELLING, CANCELLED],
  ] as const) {
    it(`a job that ends in state ${name} has finished, and did not fail`, async () => {
      assert.equal(await (await submit({ state: inOrder(...states) })).finished, name);
    });
  }

  it("a failed job rejects with the errors of the runner", async () => {
    await submit({ state: inOrder(RUNNING, FAILED), message: "step X threw" });
    await assert.rejects(job.finished, (error) => {
      assert(error instanceof JobFailedError);
      assert.equal(error.message, "The job ended in state FAILED:\nstep X threw");
      return true;
    });
  });

  it("a job is followed further after calls that failed for a while", async () => {
    const down = { error: status.UNAVAILABLE };
    await submit({ state: inOrder(RUNNING, down, down, { error: status.INTERNAL }, RUNNING, DONE) });
    assert.equal(await job.finished, "DONE");
    assert.equal(service?.questions, 6);
  });

  it("a job is given up at once when the service does not know it", async () => {
    await submit({ state: inOrder(RUNNING, { error: status.NOT_FOUND }) });
    await assert.rejects(job.finished, { code: "NOT_FOUND" });
    assert.equal(service?.questions, 2);
  });

  it("cancelling a job resolves when the job has ended", async () => {
    let answers = 0;
    await submit({
      state: (_, isCancelled) => (isCancelled ? (++answers > 2 ? CANCELLED : CANCELLING) : RUNNING),
    });
    await job.cancel();
    assert.deepEqual([await job.state(), await job.finished], ["CANCELLED", "CANCELLED"]);
  });

  it("metrics of a job have exact integers, doubles and distributions", async () => {
    const varint = (value: bigint): number[] => {
      const bytes: number[] = [];
      for (let rest = BigInt.asUintN(64, value); ; rest >>= 7n) {
        if (rest < 128n) return [...bytes, Number(rest)];
        bytes.push(Number(rest & 127n) | 128);
      }
    };
    const double = Buffer.alloc(8);
    double.writeDoubleBE(1.5);
    const info = (type: string, payload: readonly number[]): MonitoringInfo =>
      MonitoringInfo.create({ urn: "u", type, labels: { NAME: "n" }, payload: Uint8Array.from(payload) });
    const big = 2n ** 53n + 1n;
    const attempted = [
      info("beam:metrics:sum_int64:v1", varint(-3n)),
      info("beam:metrics:sum_int64:v1", varint(big)),
      info("beam:metrics:sum_double:v1", [...double]),
      info("beam:metrics:latest_int64:v1", [...varint(1_700_000_000_000n), ...varint(7n)]),
      info("beam:metrics:distribution_int64:v1", [2n, big, 1n, big - 1n].flatMap(varint)),
      info("unknown", []),
    ];
    await submit({
      state: () => RUNNING,
      metrics: MetricResults.create({ attempted }),
    });
    const metrics = await job.metrics();
    assert.deepEqual(
      metrics.map(({ value }) => value),
      [-3, big, 1.5, 7, { count: 2, sum: big, min: 1, max: big - 1n }, undefined],
    );
    assert.deepEqual(metrics[0]?.labels, { NAME: "n" });
  });

  it("a job whose connection is closed is no longer followed", async () => {
    await submit({ state: () => RUNNING });
    job.close();
    await assert.rejects(job.finished, /closed; job job is no longer followed/);
  });
});
