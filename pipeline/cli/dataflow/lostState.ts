import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { isRunning, type Generation } from "@eventlogger/gcp/bigquery/generations";
import { LabelledGeneration } from "@eventlogger/gcp/bigquery/stateLabels";
import { UserError } from "@eventlogger/process/main";
import { DataflowJobs, type Job } from "../../runners/dataflow/dataflowJobs";
import { hasEnded, stateName } from "../../runners/dataflow/jobState";
import { rebuildCommand } from "../rebuildCommand";
import type { JobTarget } from "./jobTarget";
import type { LaunchOptions } from "./launchOptions";

/**
 * The generation has numbers, but nothing runs that has their state: a new job would count from zero. The message has the command that makes
 * the numbers again.
 */
export class LostStateError extends UserError {
  constructor(dataset: string, { generation }: Pick<Generation, "generation">, reason: string, command: string) {
    super(
      `Generation ${generation} of dataset ${dataset} has numbers, but ${reason}. A new job would count from zero, and its numbers would ` +
        `be wrong. Make the numbers again from the raw events; readers see the present ones meanwhile:\n  ${command}`,
    );
    this.name = "LostStateError";
  }
}

/** Something computes the generation already. Two jobs would overwrite each other's numbers. */
export class AlreadyComputedError extends UserError {
  constructor(dataset: string, { generation }: Pick<Generation, "generation">, holder: string, advice: string) {
    super(`Generation ${generation} of dataset ${dataset} is already computed by ${holder}. ${advice}`);
    this.name = "AlreadyComputedError";
  }
}

/** The command that makes the numbers again on Dataflow, with the options of a launch. */
export function rebuildOnDataflow(
  o: LaunchOptions,
  changes: {
    readonly sessionGapMs?: number | undefined;
    readonly timeZone?: string | undefined;
    readonly countBots?: boolean | undefined;
    readonly takeOver?: boolean;
  },
): string {
  const { project, dataset, subscription, bigqueryEndpoint, region, tempLocation, image } = o;
  const target = { project, dataset, subscription, bigqueryEndpoint, runner: "dataflow", region, tempLocation, image };
  return rebuildCommand(target, changes);
}

function dataflowJobs({ project, region, dataflowEndpoint: endpoint }: LaunchOptions): DataflowJobs {
  return new DataflowJobs(new GoogleApi(project), { project, region, endpoint });
}

/** The newest job of a generation; undefined when none is known. */
export async function jobOfGeneration(
  jobs: DataflowJobs,
  { job }: Generation,
  name: string,
  signal?: AbortSignal,
): Promise<Job | undefined> {
  const active = await jobs.findActive(name, signal);
  if (active) return active;
  if (job?.runner !== "dataflow") return jobs.findNewest(name, 0, signal);
  const recorded = job.id === undefined ? undefined : await jobs.get(job.id, signal);
  if (recorded && !hasEnded(recorded.state)) return recorded;
  const other = job.name === name ? undefined : await jobs.findActive(job.name, signal);
  return other ?? recorded ?? (await jobs.findNewest(job.name, 0, signal));
}

/**
 * Checks that a new job may begin: nothing computes the generation, and it has no numbers yet unless the job has their state.
 * @param options.hasState whether the job begins with the state of a snapshot
 * @throws LostStateError, AlreadyComputedError; CredentialsError, GoogleApiError; Error of the BigQuery client
 */
export async function requireStart(
  o: LaunchOptions,
  target: JobTarget,
  { hasState, signal }: { readonly hasState: boolean; readonly signal?: AbortSignal },
): Promise<void> {
  const { row } = target;
  if (!row) return;
  const { dataset } = o;
  if (isRunning(row)) {
    const advice = "Stop it first, or make the numbers again on Dataflow beside it:";
    throw new AlreadyComputedError(
      dataset,
      row,
      `a run on ${row.lease?.holder}`,
      `${advice}\n  ${rebuildOnDataflow(o, {})}`,
    );
  }
  const job = await jobOfGeneration(dataflowJobs(o), row, target.jobName, signal);
  if (job && !hasEnded(job.state)) {
    const advice = "Update it (`eventlogger update`). Two jobs would overwrite each other's numbers";
    throw new AlreadyComputedError(
      dataset,
      row,
      `job ${job.name} (${job.id}), which is ${stateName(job.state)}`,
      advice,
    );
  }
  if (hasState) return;
  const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
  if (!(await new LabelledGeneration(bigquery, dataset, row.generation).hasNumbers())) return;
  throw new LostStateError(dataset, row, reasonOf(row, job), rebuildOnDataflow(o, { takeOver: true }));
}

function reasonOf({ job }: Generation, found: Job | undefined): string {
  if (found) {
    const since = found.stateSince === undefined ? "" : ` since ${found.stateSince}`;
    return `no job runs that has their state: job ${found.name} (${found.id}) is ${stateName(found.state)}${since}`;
  }
  if (job?.runner === "flink") {
    return (
      `their state is in ${job.stateDirectory} on ${job.host}, and no run uses it (\`eventlogger run\` on that machine goes on ` +
      "with it)"
    );
  }
  return "no job is known that has their state";
}
