import assert from "node:assert/strict";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import type { Job } from "../dataflowJobs";
import { useFakeGoogle } from "../testing/useFakeGoogle";
import { runningSteps } from "./runningSteps";

describe("runningSteps", () => {
  const fakes = useFakeGoogle();
  let told: string[];
  beforeEach(() => (told = []));

  const stepNames = async (job: Partial<Job>): Promise<string[]> => {
    const api = new GoogleApi(fakes.google.project, []);
    const onPartial = (why: string): void => void told.push(why);
    const steps = await runningSteps(api, { id: "j", transforms: [], ...job } as Job, { onPartial });
    return steps.map(({ name }) => name);
  };

  it("takes what the service knows when the pipeline's file is gone, and says why", async () => {
    const pipelineUrl = "gs://fake-bucket/gone/pipeline.pb";
    assert.deepEqual(await stepNames({ pipelineUrl, transforms: [{ name: "A", kind: "PAR_DO_KIND" }] }), ["A"]);
    assert.match(told.join(), /^Cannot read gs:\/\/fake-bucket\/gone\/pipeline\.pb: HTTP 404/);
  });

  it("fails when nothing tells any step", async () => {
    await assert.rejects(stepNames({}), /The steps of the running job are not known: job j does not say where/);
    assert.deepEqual(told, []);
  });
});
