import assert from "node:assert/strict";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { CredentialsError, GoogleApiError } from "@eventlogger/gcp/api/googleApiError";
import { DataflowJobs, type JobMessage } from "./dataflowJobs";
import { canBeUpdated, hasEnded, stateName } from "./jobState";
import { EXPIRED } from "@eventlogger/gcp/testing/fakeCredentials";
import type { FakeGoogle } from "@eventlogger/gcp/testing/fakeGoogle";
import { googleError } from "@eventlogger/gcp/testing/fakeServer";
import { useFakeGoogle } from "./testing/useFakeGoogle";

describe("DataflowJobs", () => {
  const fakes = useFakeGoogle();
  let google: FakeGoogle;
  let jobs: DataflowJobs;
  beforeEach(() => {
    ({ google } = fakes);
    jobs = new DataflowJobs(new GoogleApi(google.project, [10, 20]), google);
  });

  it("finds the active job of a name on any page of the list", async () => {
    for (const name of ["a", "b", "c", "d"]) google.dataflow.add({ name });
    google.dataflow.add({ name: "e", currentState: "JOB_STATE_DRAINED" });
    const wanted = google.dataflow.add({ name: "e" });
    assert.equal((await jobs.findActive("e"))?.id, wanted.id);
    assert.equal(google.server.requestsTo(/^GET .*jobs$/).length, 3);
    assert.equal(await jobs.findActive("f"), undefined);
  });

  it("returns the pipeline URL and the images of a job that is looked up by id", async () => {
    const { id } = google.dataflow.add({
      name: "a",
      replaceJobId: "old",
      environment: {
        sdkPipelineOptions: { options: { pipelineUrl: "gs://b/pipeline.pb" } },
        workerPools: [{ sdkHarnessContainerImages: [{ containerImage: "r/worker:1" }] }],
      },
    });
    const job = await jobs.get(id);
    assert.equal(job?.pipelineUrl, "gs://b/pipeline.pb");
    assert.equal(job.replaces, "old");
    assert.deepEqual(job.images, ["r/worker:1"]);
    assert.equal(await jobs.get("2026-01-01_00_00_00-1"), undefined);
  });

  it("requests a drain and a cancellation", async () => {
    const { id } = google.dataflow.add({});
    await jobs.drain(id);
    assert.equal((await jobs.get(id))?.state, "JOB_STATE_DRAINING");
    assert.equal((await jobs.get(id))?.state, "JOB_STATE_DRAINED");
    await assert.rejects(jobs.cancel(id), /^GoogleApiError: Cannot cancel job .*: HTTP 400: .* has ended$/);
  });

  it("reads messages of all pages, filtered by importance and time", async () => {
    const message = (second: number, importance: string): void =>
      void google.dataflow.messages.push({
        id: `m${second}`,
        time: `2026-01-01T00:00:0${second}Z`,
        messageText: `text ${second}`,
        messageImportance: `JOB_MESSAGE_${importance}`,
      });
    for (let second = 0; second < 5; second++) message(second, second === 1 ? "DEBUG" : "WARNING");
    const read = async (options: Parameters<DataflowJobs["messages"]>[1]): Promise<JobMessage[]> => {
      const all: JobMessage[] = [];
      for await (const one of jobs.messages(google.dataflow.add({}).id, options)) all.push(one);
      return all;
    };
    assert.deepEqual(await read({ importance: "warning", since: "2026-01-01T00:00:03Z" }), [
      { id: "m3", time: "2026-01-01T00:00:03Z", importance: "warning", text: "text 3" },
      { id: "m4", time: "2026-01-01T00:00:04Z", importance: "warning", text: "text 4" },
    ]);
    assert.equal((await read({ importance: "debug" })).length, 5);
    assert.equal((await read({ importance: "error" })).length, 0);
  });

  it("retries while the service is unavailable, then reports the reason of the service", async () => {
    google.dataflow.add({ name: "a" });
    google.server.fail({ match: /jobs$/, answer: googleError(503, "try later"), times: 2 });
    assert.equal((await jobs.findActive("a"))?.name, "a");
    google.server.fail({ match: /jobs$/, answer: googleError(500, "it is broken") });
    await assert.rejects(jobs.findActive("a"), (error: unknown) => {
      assert.ok(error instanceof GoogleApiError && error.status === 500);
      assert.match(error.message, /^Cannot list the jobs of project fake-project in europe-west1: .*it is broken$/);
      return true;
    });
    assert.equal(google.server.requestsTo(/jobs$/).length, 6);
  });

  it("does not retry a forbidden request, and names the missing permission", async () => {
    google.server.fail({ match: /jobs$/, answer: googleError(403, "Missing permission dataflow.jobs.list.") });
    await assert.rejects(jobs.findActive("a"), /HTTP 403.*\nAsk for a role with the permission dataflow\.jobs\.list /);
    assert.equal(google.server.requestsTo(/jobs$/).length, 1);
  });

  it("tells how to log in when the credentials are expired or missing", async () => {
    google.server.fail({ match: /token/, answer: EXPIRED });
    const problem = await jobs.findActive("a").catch((error: unknown) => error);
    assert.ok(problem instanceof CredentialsError);
    assert.match(problem.message, /invalid_grant[^]*gcloud auth application-default login/);
  });

  it("reports an unreachable service", async () => {
    const gone = new DataflowJobs(new GoogleApi(google.project, []), { ...google, endpoint: "http://127.0.0.1:9" });
    await assert.rejects(gone.findActive("a"), /no response from 127\.0\.0\.1:9/);
  });
});

describe("stateName and hasEnded", () => {
  it("support known states and states of later versions of the API", () => {
    assert.ok(hasEnded("JOB_STATE_UPDATED") && hasEnded("JOB_STATE_DRAINED") && !hasEnded("JOB_STATE_DRAINING"));
    assert.ok(canBeUpdated("JOB_STATE_RUNNING") && !canBeUpdated("JOB_STATE_DRAINING"));
    assert.equal(stateName("JOB_STATE_RESOURCE_CLEANING_UP"), "cleaning up");
    assert.equal(stateName("JOB_STATE_FROZEN"), "frozen");
    assert.equal(hasEnded("JOB_STATE_FROZEN"), false);
  });
});
