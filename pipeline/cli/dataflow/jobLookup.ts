import { setTimeout } from "node:timers/promises";
import { formatDuration, type Options } from "@eventlogger/options/options";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { consoleUrl, DataflowJobs, type DataflowLocation, type Job } from "../../runners/dataflow/dataflowJobs";
import { hasEnded, stateName, type JobState } from "../../runners/dataflow/jobState";
import type { jobChoiceOptions } from "./jobOptions";

const POLL_MS = 2000;

type Choice = Options<typeof jobChoiceOptions>;

/** The project and region of the chosen job. */
export function locationOf({ project, region, dataflowEndpoint }: Choice): DataflowLocation {
  return { project, region, endpoint: dataflowEndpoint };
}

/** The client for jobs in the chosen project and region. */
export function jobsOf(choice: Choice): DataflowJobs {
  return new DataflowJobs(new GoogleApi(choice.project), locationOf(choice));
}

/** Looks up the chosen job with all its properties. @throws Error when it does not exist */
export async function chosenJob(jobs: DataflowJobs, choice: Choice, signal?: AbortSignal): Promise<Job> {
  const { jobId, jobName, project, region } = choice;
  const id = jobId ?? (await jobs.findActive(jobName as string, signal))?.id;
  if (id === undefined) {
    throw new Error(
      `No active job is named ${jobName} in project ${project}, region ${region}. ` +
        "Choose a job that has ended by its --job-id.",
    );
  }
  const job = await jobs.get(id, signal);
  if (!job) throw new Error(`Job ${id} does not exist in project ${project}, region ${region}`);
  return job;
}

/** A job as JSON. */
export function jobDocument(job: Job, location: DataflowLocation): Record<string, unknown> {
  const { id, name, state, stateSince, created, replaces, replacedBy, labels, images, pipelineUrl } = job;
  const { project, region } = location;
  return {
    ...{ id, name, project, region, state, ended: hasEnded(state), stateSince, created, replaces, replacedBy },
    ...{ labels, images, pipelineUrl, console: consoleUrl(location, id) },
  };
}

/**
 * Polls a job until it reaches a state.
 * @param onState called with each new state
 * @throws Error at the time limit; the reason of the signal
 */
export async function awaitState(
  jobs: DataflowJobs,
  job: Job,
  options: {
    readonly until: (state: JobState) => boolean;
    readonly limitMs: number;
    readonly signal: AbortSignal;
    readonly onState: (state: JobState) => void;
    readonly pollMs?: number;
  },
): Promise<Job> {
  const deadline = performance.now() + options.limitMs;
  let last: JobState | undefined;
  for (let current = job; ;) {
    if (current.state !== last) options.onState(current.state);
    last = current.state;
    if (options.until(current.state)) return current;
    if (performance.now() >= deadline) {
      throw new Error(
        `Job ${job.id} is still ${stateName(current.state)} after ${formatDuration(options.limitMs)} (--wait-limit)`,
      );
    }
    await setTimeout(options.pollMs ?? POLL_MS, undefined, { signal: options.signal });
    current = (await jobs.get(job.id, options.signal)) ?? current;
  }
}
