import { setTimeout } from "node:timers/promises";
import { formatDuration, type Options } from "@eventlogger/options/options";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { consoleUrl, DataflowJobs, type DataflowLocation, type Job } from "../../runners/dataflow/dataflowJobs";
import { hasEnded, stateName, type JobState } from "../../runners/dataflow/jobState";
import type { jobChoiceOptions } from "./jobOptions";

const POLL_MS = 2000;

type Choice = Options<typeof jobChoiceOptions>;

export function locationOf({ project, region, dataflowEndpoint }: Choice): DataflowLocation {
  return { project, region, endpoint: dataflowEndpoint };
}

/** The client for the jobs that the options speak of. */
export function jobsOf(choice: Choice): DataflowJobs {
  return new DataflowJobs(new GoogleApi(choice.project), locationOf(choice));
}

/** The job that was chosen, with everything that is known of it. @throws Error when there is none */
export async function chosenJob(jobs: DataflowJobs, choice: Choice, signal?: AbortSignal): Promise<Job> {
  const { jobId, jobName, project, region } = choice;
  const id = jobId ?? (await jobs.findActive(jobName as string, signal))?.id;
  if (id === undefined) {
    throw new Error(
      `There is no active job named ${jobName} in project ${project}, region ${region}. ` +
        "Jobs that have ended are found by their --job-id.",
    );
  }
  const job = await jobs.get(id, signal);
  if (!job) throw new Error(`There is no job ${id} in project ${project}, region ${region}`);
  return job;
}

/** What is said of a job to a program. */
export function jobDocument(job: Job, location: DataflowLocation): Record<string, unknown> {
  const { id, name, state, stateSince, created, replaces, replacedBy, labels, images, pipelineUrl } = job;
  const { project, region } = location;
  return {
    ...{ id, name, project, region, state, ended: hasEnded(state), stateSince, created, replaces, replacedBy },
    ...{ labels, images, pipelineUrl, console: consoleUrl(location, id) },
  };
}

/**
 * Looks at a job until its state is one that is waited for.
 * @param onState told each state that it comes to
 * @throws Error when the time is over; the reason of the signal
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
  const end = Date.now() + options.limitMs;
  let last: JobState | undefined;
  for (let current = job; ;) {
    if (current.state !== last) options.onState(current.state);
    last = current.state;
    if (options.until(current.state)) return current;
    if (Date.now() >= end) {
      throw new Error(
        `Job ${job.id} is still ${stateName(current.state)} after ${formatDuration(options.limitMs)} (--wait-limit)`,
      );
    }
    await setTimeout(options.pollMs ?? POLL_MS, undefined, { signal: options.signal });
    current = (await jobs.get(job.id, options.signal)) ?? current;
  }
}
