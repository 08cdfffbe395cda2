import "../sdk";
import assert from "node:assert/strict";
import { impulse, type Root } from "apache-beam";
import type { PValue } from "apache-beam/pvalue";
import { JobState_Enum } from "apache-beam/proto/beam_job_api";
import { buildPipeline, pipe, splittableParDo, stringCoder } from "../index";
import * as fixtures from "../testing/fixtures";
import { startJobService } from "../testing/jobService";
import { submitJob, type FlinkJobOptions, type JobPool } from "./job";

const pool: JobPool = { address: "127.0.0.1:1", accessToken: undefined, parameters: {} };

/** The options of a submitted job, by their names without prefix and version. */
async function optionsOf(
  build: (root: Root) => PValue<unknown>,
  options: Omit<FlinkJobOptions, "jobName">,
): Promise<Record<string, unknown>> {
  const service = await startJobService({ state: () => JobState_Enum.RUNNING });
  try {
    const pipeline = await buildPipeline(build);
    const job = await submitJob(service.address, pool, pipeline, { jobName: "test", ...options });
    job.close();
    const sent = service.options as Record<string, unknown>;
    return Object.fromEntries(
      Object.entries(sent).map(([name, value]): [string, unknown] => [name.split(":")[2] ?? name, value]),
    );
  } finally {
    service.stop();
  }
}

const bounded = (root: Root): PValue<unknown> => root.apply(impulse());
const unbounded = (root: Root): PValue<unknown> =>
  pipe(root, impulse(), splittableParDo("read", new fixtures.TickingSource(1, 1, 0), stringCoder));

describe("Options of a job on Flink", () => {
  it("a pipeline is a stream when it has an unbounded source, so that its bundles do not wait for checkpoints", async () => {
    assert.equal((await optionsOf(unbounded, {}))["streaming"], true);
    assert.equal((await optionsOf(bounded, {}))["streaming"], false);
  });

  it("an idle source never ends, and a job with checkpoints keeps them and always restarts after a second", async () => {
    const options = await optionsOf(unbounded, { checkpointingInterval: 3000 });
    assert.equal(options["shutdown_sources_after_idle_ms"], String(2n ** 63n - 1n));
    assert.equal(options["externalized_checkpoints_enabled"], true);
    assert.equal(options["retain_externalized_checkpoints_on_cancellation"], true);
    assert.deepEqual([options["number_of_execution_retries"], options["execution_retry_delay"]], [2 ** 31 - 1, 1000]);
    assert.equal((await optionsOf(unbounded, {}))["number_of_execution_retries"], undefined);
  });
});
