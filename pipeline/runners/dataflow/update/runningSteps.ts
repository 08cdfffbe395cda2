import type { GoogleApi } from "../../../google/googleApi";
import { readObject } from "../../../google/storage";
import type { Job } from "../jobs";
import { stepsOf, type Step } from "./steps";

/** The steps of a running job, from the pipeline proto that it was submitted with. */
export async function runningSteps(api: GoogleApi, job: Job, signal?: AbortSignal): Promise<Step[]> {
  if (!job.pipelineUrl) throw new Error(`Job ${job.id} does not say where its pipeline is`);
  return stepsOf(await readObject(api, job.pipelineUrl, signal));
}
