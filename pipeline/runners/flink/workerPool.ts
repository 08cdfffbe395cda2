import "@eventlogger/beam/sdk";
import { ACCESS_TOKEN_VARIABLE } from "@eventlogger/beam/accessToken";
import { CHECKPOINT_RECORD_VARIABLE } from "@eventlogger/beam/flink/checkpoints/checkpointRecord";
import { FINALIZER_LIMIT_VARIABLE } from "@eventlogger/beam/patches/finalizers";
import { startWorkerPool, type WorkerPool } from "@eventlogger/beam/worker/pool";
import { packageVersion } from "../../packageVersion";
import { VERSION_FLOOR_VARIABLE, versionFloor } from "../../totals/versionNumbers";
import { STATE_DIRECTORY_VARIABLE } from "./cluster";
import { WORKER_NODE_ARGS } from "./workerNodeArgs";
import { nextWorkerStart } from "./workerStarts";

export interface PipelineWorkerPoolOptions {
  readonly host: string;
  readonly port: number;
  readonly accessToken: string;
  /** File for the output of the workers; undefined: standard output. */
  readonly logFile: string | undefined;
}

/** Starts a worker pool for a TaskManager of a cluster. Its workers share the state directory with the run. */
export function startPipelineWorkerPool(options: PipelineWorkerPoolOptions): Promise<WorkerPool> {
  const { host, port, accessToken, logFile } = options;
  return startWorkerPool({
    host,
    port,
    accessToken,
    logFile,
    version: packageVersion(),
    // The packages of the workers are those of this program.
    requireFrom: __dirname,
    env: { [ACCESS_TOKEN_VARIABLE]: accessToken },
    nodeArgs: WORKER_NODE_ARGS,
    serveOthers: { allowedEnv: [CHECKPOINT_RECORD_VARIABLE, FINALIZER_LIMIT_VARIABLE, STATE_DIRECTORY_VARIABLE] },
    envOfStart: (env) => {
      const directory = env[STATE_DIRECTORY_VARIABLE];
      if (directory === undefined) throw new Error(`The request for a worker does not set ${STATE_DIRECTORY_VARIABLE}`);
      return { [VERSION_FLOOR_VARIABLE]: String(versionFloor(nextWorkerStart(directory))) };
    },
  });
}
