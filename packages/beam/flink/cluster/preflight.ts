import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { status as grpcStatus, type ServiceError } from "@grpc/grpc-js";
import { UserError } from "@eventlogger/process/main";
import { TimeoutError, waitUntil } from "@eventlogger/process/wait";
import { PoolStatusClient, type PoolStatus, type StatusRequest } from "../../worker/poolStatus";
import { poolAddresses, type PoolsOfCluster } from "./clusterWorkers";

/** Flink's default of `state.checkpoints.num-retained`. */
const DEFAULT_RETAINED = 1;
/** The recorded checkpoint must exist while a newer one is complete but not yet recorded. */
const MIN_RETAINED = 2;

export interface ClusterPreflightOptions extends PoolsOfCluster {
  readonly parallelism: number;
  /** Version of the code of the workers. */
  readonly version: string;
  /** A folder that the JobManager, the TaskManagers and the worker pools must share with this machine. */
  readonly sharedDirectory: string;
  /** How long to wait for free slots: those of a job that was cancelled a moment ago. ms @default 15000 */
  readonly slotsTimeoutMs?: number;
}

async function ask(
  address: string,
  accessToken: string,
  request: StatusRequest,
): Promise<PoolStatus | { readonly problem: string }> {
  const client = new PoolStatusClient(address, accessToken);
  try {
    return await client.status(request);
  } catch (error) {
    const { code, details, message } = error as ServiceError;
    const pool = `The worker pool ${address}`;
    if (code === grpcStatus.UNAUTHENTICATED) return { problem: `${pool} has another access token` };
    if (code === grpcStatus.UNIMPLEMENTED) return { problem: `${pool} is not one of this library` };
    return {
      problem:
        `${pool} cannot be reached (${details || message}). Start "eventlogger worker-pool" beside each TaskManager, ` +
        "or set --worker-pools",
    };
  } finally {
    client.close();
  }
}

function poolProblems(address: string, { version, seesFile }: PoolStatus, options: ClusterPreflightOptions): string[] {
  const problems: string[] = [];
  if (version !== options.version) {
    problems.push(
      `The worker pool ${address} has version ${version || "unknown"}, but this is version ${options.version}`,
    );
  }
  if (seesFile === false) {
    problems.push(
      `The worker pool ${address} does not see the files of ${options.sharedDirectory}: the folder must be on a file ` +
        "system that all machines of the cluster mount at the same path",
    );
  }
  return problems;
}

/**
 * Checks whether a job can run on a cluster.
 * @returns all problems
 * @throws FlinkRestError when the JobManager does not answer
 */
export async function clusterProblems(options: ClusterPreflightOptions): Promise<string[]> {
  const { rest, parallelism, accessToken, sharedDirectory } = options;
  const configuration = await rest.configuration();
  const problems: string[] = [];
  const retained = Number(configuration.get("state.checkpoints.num-retained") ?? DEFAULT_RETAINED);
  if (retained < MIN_RETAINED) {
    problems.push(
      `Flink keeps ${retained} checkpoint: set state.checkpoints.num-retained to ${MIN_RETAINED} or more in the ` +
        "configuration of the JobManager",
    );
  }
  let free = 0;
  const hasSlots = async (): Promise<boolean> => {
    free = (await rest.taskManagers()).reduce((sum, { freeSlots }) => sum + freeSlots, 0);
    return free >= parallelism;
  };
  // A slot that was used until now is reported as free a moment later, and a TaskManager may be about to register.
  const wait = { timeoutMs: options.slotsTimeoutMs ?? 15_000, intervalMs: 500 };
  const found = await waitUntil("free slots", hasSlots, wait).catch((error: unknown) => {
    if (error instanceof TimeoutError) return false;
    throw error;
  });
  if (!found) {
    problems.push(
      `The Flink cluster at ${rest.address} has ${free} free slots, but --parallelism ${parallelism} needs ${parallelism}: ` +
        "start more TaskManagers, or end other jobs",
    );
  }
  const file = {
    path: path.join(sharedDirectory, `cluster-check-${randomBytes(8).toString("hex")}`),
    content: randomBytes(16).toString("hex"),
  };
  writeFileSync(file.path, file.content, { mode: 0o600 });
  try {
    const addresses = await poolAddresses(options);
    const answers = await Promise.all(
      addresses.map((address) => ask(address, accessToken, { job: "", failuresAfter: Number.MAX_SAFE_INTEGER, file })),
    );
    for (const [i, answer] of answers.entries()) {
      if ("problem" in answer) problems.push(answer.problem);
      else problems.push(...poolProblems(addresses[i] as string, answer, options));
    }
  } finally {
    rmSync(file.path, { force: true });
  }
  return problems;
}

/** With these answers, a pool has no workers, or a preflight check reports what is wrong with it. */
const NO_POOL = new Set([grpcStatus.UNAVAILABLE, grpcStatus.UNAUTHENTICATED, grpcStatus.UNIMPLEMENTED]);

/**
 * Waits until no worker of a job that has ended runs any more: a worker that outlives its job could still acknowledge messages.
 * The pools stop the workers that do not end by themselves.
 * @param job prefix of the jobs
 * @throws UserError when workers of a pool do not exit within 20 s
 */
export async function stopWorkersOfJob(pools: PoolsOfCluster, job: string): Promise<void> {
  const addresses = await poolAddresses(pools);
  await Promise.all(
    addresses.map(async (address) => {
      const client = new PoolStatusClient(address, pools.accessToken);
      try {
        await client.stopWorkers({ job });
      } catch (error) {
        const { code, details, message } = error as ServiceError;
        if (NO_POOL.has(code)) return;
        throw new UserError(
          `The worker pool ${address} did not stop the workers of an earlier run: ${details || message}`,
          {
            cause: error,
          },
        );
      } finally {
        client.close();
      }
    }),
  );
}
