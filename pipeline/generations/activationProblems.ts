import { existsSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import type { PubSub } from "@google-cloud/pubsub";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { isRunning, type Generation, type GenerationJob } from "@eventlogger/gcp/bigquery/generations";
import { checkSubscription } from "@eventlogger/gcp/pubsub/setup/checkSubscription";
import { DataflowJobs } from "../runners/dataflow/dataflowJobs";
import { canBeUpdated, stateName } from "../runners/dataflow/jobState";

export interface ActivationServices {
  readonly pubsub: PubSub;
  readonly project: string;
  /** URL that replaces Google's Dataflow API. */
  readonly dataflowEndpoint: string | undefined;
}

/** Why nothing computes a generation, or can go on computing it; undefined when something does or can. */
async function jobProblem(generation: Generation, services: ActivationServices): Promise<string | undefined> {
  const { job } = generation;
  if (isRunning(generation)) return undefined;
  if (!job) return "nothing computes it, and what did is unknown";
  return job.runner === "flink" ? stateProblem(job) : dataflowProblem(job, services);
}

function stateProblem({ stateDirectory, host }: Extract<GenerationJob, { runner: "flink" }>): string | undefined {
  if (host !== hostname()) {
    return `no run computes it, and its state is in ${stateDirectory} on ${host}: start its run, or use this command there`;
  }
  // The record of the checkpoint to resume from.
  return existsSync(path.join(stateDirectory, "current.json"))
    ? undefined
    : `no run computes it, and its state in ${stateDirectory} no longer exists`;
}

async function dataflowProblem(
  { region, name, id }: Extract<GenerationJob, { runner: "dataflow" }>,
  { project, dataflowEndpoint }: ActivationServices,
): Promise<string | undefined> {
  const jobs = new DataflowJobs(new GoogleApi(project), { project, region, endpoint: dataflowEndpoint });
  const job = id === undefined ? await jobs.findActive(name) : await jobs.get(id);
  if (!job) return `its job ${name} no longer exists in ${region}`;
  return canBeUpdated(job.state) ? undefined : `its job ${name} (${job.id}) is ${stateName(job.state)}`;
}

/**
 * Why readers must not see a generation: what computes it is gone, so that its numbers would stand still. Empty when it can be activated.
 * @throws errors of the clients: then the check has no result
 */
export async function activationProblems(generation: Generation, services: ActivationServices): Promise<string[]> {
  const { subscription } = generation;
  const job = await jobProblem(generation, services);
  const live =
    subscription === null
      ? ["its subscription is unknown"]
      : (await checkSubscription(services.pubsub, subscription)).problems;
  return [...(job === undefined ? [] : [job]), ...live];
}
