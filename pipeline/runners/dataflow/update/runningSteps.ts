import type { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { GoogleApiError } from "@eventlogger/gcp/api/googleApiError";
import { readObject } from "@eventlogger/gcp/storage/client";
import type { Job } from "../dataflowJobs";
import type { Step } from "./step";
import { stepsByKind } from "./stepsByKind";
import { stepsOf } from "./steps";

/**
 * The steps of a running job, from the pipeline proto that it was submitted with. Where that cannot be read any more,
 * from what the service knows of it.
 * @param onPartial told why it is only that
 * @throws Error when neither tells any step; CredentialsError
 */
export async function runningSteps(
  api: GoogleApi,
  job: Job,
  { onPartial, signal }: { readonly onPartial: (why: string) => void; readonly signal?: AbortSignal },
): Promise<Step[]> {
  let why = `job ${job.id} does not say where its pipeline is`;
  if (job.pipelineUrl) {
    try {
      return stepsOf(await readObject(api, job.pipelineUrl, signal));
    } catch (error) {
      if (!(error instanceof GoogleApiError)) throw error;
      why = error.message;
    }
  }
  const steps = stepsByKind(job.transforms);
  if (steps.length === 0) throw new Error(`The steps of the running job are not known: ${why}`);
  onPartial(why);
  return steps;
}
