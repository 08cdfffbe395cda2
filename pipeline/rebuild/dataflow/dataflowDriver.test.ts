import assert from "node:assert/strict";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import type { Generation } from "@eventlogger/gcp/bigquery/generations";
import type { FakeJob } from "@eventlogger/gcp/testing/fakeDataflow";
import { DataflowJobs } from "../../runners/dataflow/dataflowJobs";
import { useFakeGoogle } from "../../runners/dataflow/testing/useFakeGoogle";
import type { RebuildRecord } from "../record";
import { DataflowDriver, JobEndedError, type DataflowDriverOptions } from "./dataflowDriver";

const never = new AbortController().signal;

/** A generation that is being built, without a job. */
function building(fields: Partial<Generation> = {}): Generation {
  return {
    ...{ generation: 2, status: "building", settings: { sessionGapMs: 1000 }, activatedAt: null, retiredAt: null },
    ...{
      createdAt: new Date().toISOString(),
      subscription: "live-g2",
      replayTopic: "t",
      replaySubscription: "replay-g2",
    },
    ...{ job: null, rebuild: null, state: null, lease: null },
    ...fields,
  };
}

describe("DataflowDriver", () => {
  const fakes = useFakeGoogle();
  let events: string[];

  function driver(changes: Partial<DataflowDriverOptions> = {}): DataflowDriver {
    const { google } = fakes;
    const api = new GoogleApi(google.project, []);
    events = [];
    return new DataflowDriver({
      jobsIn: (region) => {
        if (region !== google.region) events.push(`jobs in ${region}`);
        return new DataflowJobs(api, { project: google.project, region: google.region, endpoint: google.endpoint });
      },
      progress: {
        publishedUntil: async (name, jobId) => {
          events.push(`progress ${name} ${jobId}`);
          return name === "live-g2" ? 1000 : 2000;
        },
      },
      region: google.region,
      jobName: (generation) => `eventlogger-g${generation}`,
      preflight: async () => {},
      submit: async ({ generation }) => {
        events.push(`submit ${generation}`);
        return google.dataflow.add({ name: `eventlogger-g${generation}`, currentState: "JOB_STATE_PENDING" }).id;
      },
      read: async () => undefined,
      recordJob: async (generation, job) => {
        events.push(`record ${generation} ${job.runner === "dataflow" ? job.id : job.runner}`);
      },
      ...{ pollMs: 1, observeMs: 0 },
      ...changes,
    });
  }
  const add = (job: Partial<FakeJob> = {}): FakeJob => fakes.google.dataflow.add({ name: "eventlogger-g2", ...job });
  const withJob = (id?: string): Partial<Generation> => ({
    job: { runner: "dataflow", region: fakes.google.region, name: "eventlogger-g2", ...(id !== undefined && { id }) },
  });

  it("records a job by its name before it is submitted, and by its id afterwards", async () => {
    await driver().start(building(), never);
    const [job] = fakes.google.dataflow.jobs;
    assert.deepEqual(events, ["record 2 undefined", "submit 2", `record 2 ${job?.id}`]);
  });

  it("finds the job that an interrupted command has submitted, records its id, and submits no second one", async () => {
    add({ currentState: "JOB_STATE_CANCELLED", createTime: "2020-01-01T00:00:00Z" }); // of an earlier dataset
    const { id } = add({ currentState: "JOB_STATE_PENDING" });
    for (const generation of [building(), building(withJob())]) {
      await driver().start(generation, never);
      assert.deepEqual(events, [`record 2 ${id}`]);
    }
    await driver().start(building(withJob(id)), never);
    assert.deepEqual(events, []);
  });

  it("records the id of the job at the switch, if an interrupted command could not", async () => {
    const { id } = add();
    await driver().handOver(building({ generation: 1 }), building(withJob()));
    assert.deepEqual(events, [`record 2 ${id}`]);
    await driver().handOver(building({ generation: 1 }), building(withJob(id)));
    assert.deepEqual(events, []);
  });

  it("does not replace a job that has ended or drains, because its state is lost", async () => {
    for (const state of ["JOB_STATE_FAILED", "JOB_STATE_DRAINING", "JOB_STATE_CANCELLED", "JOB_STATE_DRAINED"]) {
      fakes.google.reset();
      const { id } = add({ currentState: state });
      await assert.rejects(driver().start(building(withJob(id)), never), JobEndedError);
      assert.deepEqual(events, []);
    }
    const record = { format: 1, takeOver: true } as unknown as RebuildRecord;
    await assert.rejects(driver().start(building({ rebuild: record }), never), /`eventlogger rebuild --take-over`/);
  });

  it("observes the state of the job, and its progress only while it runs", async () => {
    const unknown = { live: undefined, replay: undefined };
    assert.deepEqual(await driver().observe(building()), {
      state: "absent",
      detail: undefined,
      publishedUntil: unknown,
    });
    const job = add();
    const states: [string, string, object][] = [
      ["JOB_STATE_PENDING", "starting", unknown],
      ["JOB_STATE_QUEUED", "starting", unknown],
      ["JOB_STATE_RUNNING", "running", { live: 1000, replay: 2000 }],
      ["JOB_STATE_DRAINING", "failed", unknown],
      ["JOB_STATE_FAILED", "failed", unknown],
    ];
    for (const [currentState, state, publishedUntil] of states) {
      Object.assign(job, { currentState });
      const status = await driver().observe(building(withJob(job.id)));
      assert.deepEqual([status.state, status.publishedUntil], [state, publishedUntil], currentState);
      assert.match(status.detail ?? "", new RegExp(`^job eventlogger-g2 \\(${job.id}\\) is `));
    }
    job.currentState = "JOB_STATE_RUNNING";
    const one = driver();
    await one.observe(building(withJob(job.id)));
    assert.deepEqual(events.sort(), [`progress live-g2 ${job.id}`, `progress replay-g2 ${job.id}`]);
  });

  it("follows a job that was replaced in an update, and looks in the region of the recorded job", async () => {
    const old = add({ currentState: "JOB_STATE_UPDATED" });
    const { id } = add();
    old.replacedByJobId = id;
    const job = { runner: "dataflow", region: "us-east1", name: "eventlogger-g2", id: old.id } as const;
    const status = await driver().observe(building({ job }));
    assert.match(status.detail ?? "", new RegExp(id));
    assert.ok(events.includes("jobs in us-east1"));
  });

  it("repeats an observation for some seconds, but not an error or the state before a start", async () => {
    const one = driver({ observeMs: 60_000 });
    const generation = building();
    assert.equal((await one.observe(generation)).state, "absent");
    add();
    assert.equal((await one.observe(generation)).state, "absent");
    await one.start(generation, never);
    assert.equal((await one.observe(generation)).state, "running");
    const other = driver({ observeMs: 60_000 });
    fakes.google.server.fail({ match: /^GET/, answer: { status: 400 }, times: 1 });
    await assert.rejects(other.observe(generation));
    assert.equal((await other.observe(generation)).state, "running");
  });

  it("cancels the job of a retired generation and waits for its end; a job that takes over messages is drained", async () => {
    const cases: [(one: DataflowDriver, generation: Generation) => Promise<void>, unknown, string][] = [
      [(one, generation) => one.end(generation, never), null, "JOB_STATE_CANCELLED"],
      [(one, generation) => one.stop(generation), { format: 1, takeOver: false }, "JOB_STATE_CANCELLED"],
      [(one, generation) => one.stop(generation), { format: 1, takeOver: true }, "JOB_STATE_DRAINED"],
    ];
    for (const [end, rebuild, state] of cases) {
      fakes.google.reset();
      const job = add();
      await end(driver(), building({ ...withJob(job.id), rebuild }));
      assert.equal(job.currentState, state);
      // Once more, as after an interruption.
      await end(driver(), building({ ...withJob(job.id), rebuild }));
      assert.equal(fakes.google.server.requestsTo(/^PUT/).length, 1);
    }
    await driver().end(building(), never);
  });

  it("knows a run on Flink by its lease, and its progress by the subscription alone", async () => {
    const lease = { run: "r", holder: "host:1", takenAt: "", expiresAt: "", leftMs: 1000 };
    const job = { runner: "flink", stateDirectory: "/s", host: "h" } as const;
    const row = building({ job, lease });
    const status = await driver({ read: async () => row }).observe(row);
    assert.deepEqual(status, { state: "running", detail: "host:1", publishedUntil: { live: 1000, replay: 2000 } });
    assert.ok(events.includes("progress live-g2 undefined"));
    let reads = 0;
    await driver({ read: async () => (++reads < 3 ? row : { ...row, lease: null }) }).end(row, never);
    assert.equal(reads, 3);
  });
});
