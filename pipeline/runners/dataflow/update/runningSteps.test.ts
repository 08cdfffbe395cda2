import assert from "node:assert/strict";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import type { Job } from "../dataflowJobs";
import { useFakeGoogle } from "../testing/useFakeGoogle";
import { runningSteps } from "./runningSteps";

describe("runningSteps", () => {
  const fakes = useFakeGoogle();
  let reasons: string[];
  beforeEach(() => (reasons = []));

  const stepNames = async (job: Partial<Job>): Promise<string[]> => {
    const api = new GoogleApi(fakes.google.project, []);
    const onPartial = (reason: string): void => void reasons.push(reason);
    const steps = await runningSteps(api, { id: "j", transforms: [], ...job } as Job, { onPartial });
    return steps.map(({ name }) => name);
  };

  it("uses the steps that the service lists when the pipeline proto is missing, and reports the reason", async () => {
    const pipelineUrl = "gs://fake-bucket/gone/pipeline.pb";
    assert.deepEqual(await stepNames({ pipelineUrl, transforms: [{ name: "A", kind: "PAR_DO_KIND" }] }), ["A"]);
    assert.match(reasons.join(), /^Cannot read gs:\/\/fake-bucket\/gone\/pipeline\.pb: HTTP 404/);
  });

  it("fails when neither the proto nor the service has steps", async () => {
    await assert.rejects(stepNames({}), /The steps of the running job are unknown: job j has no URL/);
    assert.deepEqual(reasons, []);
  });
});
