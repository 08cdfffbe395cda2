import { readAccessToken } from "@eventlogger/beam/accessToken";
import { FlinkRest } from "@eventlogger/beam/flink/cluster/flinkRest";
import { clusterProblems, stopWorkersOfJob } from "@eventlogger/beam/flink/cluster/preflight";
import type { PoolsOfCluster } from "@eventlogger/beam/flink/cluster/clusterWorkers";
import { UserError } from "@eventlogger/process/main";
import { packageVersion } from "../../packageVersion";
import type { StateDirectory } from "./stateDirectory";

/** Environment variable of workers on a cluster with the state directory, from which their pool numbers their starts. */
export const STATE_DIRECTORY_VARIABLE = "EVENTLOGGER_STATE_DIR";

/** Time for the job of an earlier run to end; ms. */
const END_LIMIT_MS = 90_000;

/** The name of the job on a cluster: one job for each state. */
export const jobName = (stateId: string): string => `eventlogger ${stateId}`;

/** Identifies the workers of all runs on a state; each run adds its number. */
export const jobOfState = (stateId: string): string => `${stateId}/`;

export interface ClusterChoice {
  /** `host:port` of the JobManager's REST endpoint. */
  readonly flinkMaster: string;
  /** `host:port` of each worker pool; empty: port 50000 of the host of each TaskManager. */
  readonly workerPools: readonly string[];
  readonly beamAccessTokenFile: string | undefined;
  readonly parallelism: number;
}

/**
 * Prepares a cluster for a run on a state. Cancels the job that a killed run has left, and stops its workers. Then
 * checks everything that the job needs.
 * @throws UserError with all problems; FlinkRestError
 */
export async function prepareCluster(
  { flinkMaster, workerPools, beamAccessTokenFile, parallelism }: ClusterChoice,
  state: Pick<StateDirectory, "directory" | "identity">,
  say: (text: string) => void,
): Promise<PoolsOfCluster> {
  const accessToken = readAccessToken(beamAccessTokenFile);
  const pools: PoolsOfCluster = { rest: new FlinkRest(flinkMaster), addresses: workerPools, accessToken };
  const { identity } = state;
  if (identity) {
    const cancelled = await pools.rest.cancelJobs(jobName(identity.id), END_LIMIT_MS);
    if (cancelled > 0) say("cancelled the job that an earlier run left on the cluster");
    await stopWorkersOfJob(pools, jobOfState(identity.id));
  }
  const sharedDirectory = state.directory;
  const problems = await clusterProblems({ ...pools, parallelism, version: packageVersion(), sharedDirectory });
  if (problems.length) throw new UserError(problems.join("\n"));
  return pools;
}
