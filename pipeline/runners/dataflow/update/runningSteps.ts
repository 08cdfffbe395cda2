import type { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { GoogleApiError } from "@eventlogger/gcp/api/googleApiError";
import { readObject } from "@eventlogger/gcp/storage/client";
import type { Job } from "../dataflowJobs";
import type { Step } from "./step";
import { stepsByKind } from "./stepsByKind";
import { stepsOf } from "./steps";

/**
 * The steps of a running job, from the pipeline proto that it was submitted with. If the proto cannot be read, from the
 * steps that the service lists.
 * @param onPartial called with the reason why the proto could not be read
 * @throws Error when neither source has any step; CredentialsError
 */
export async function runningSteps(
  api: GoogleApi,
  job: Job,
  { onPartial, signal }: { readonly onPartial: (reason: string) => void; readonly signal?: AbortSignal },
): Promise<Step[]> {
  let reason = `job ${job.id} has no URL of its pipeline`;
  if (job.pipelineUrl) {
    try {
      return stepsOf(await readObject(api, job.pipelineUrl, signal));
    } catch (error) {
      if (!(error instanceof GoogleApiError)) throw error;
      reason = error.message;
    }
  }
  const steps = stepsByKind(job.transforms);
  if (steps.length === 0) throw new Error(`The steps of the running job are unknown: ${reason}`);
  onPartial(reason);
  return steps;
}
