import { wholeNumber, type OptionSpecs } from "@eventlogger/options/options";
import { UserError } from "@eventlogger/process/main";
import { PRIVATE_UMASK } from "@eventlogger/process/privateFiles";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { packageVersion } from "../../packageVersion";
import { defineCommand } from "./command";
import { accessTokenOption } from "../accessTokenOption";

const options = {
  host: {
    type: "string",
    describe: "Address to listen on. The TaskManager and run must reach it",
    default: "127.0.0.1",
    group: "Worker pool:",
  },
  port: {
    type: "number",
    describe: "Port to listen on. TaskManagers use 50000 of their own machine, unless BEAM_WORKER_POOL is set for them",
    default: 50_000,
    check: wholeNumber(1, 65_535),
    group: "Worker pool:",
  },
  ...accessTokenOption,
  workerLog: {
    type: "string",
    describe: "File to which the output of the workers is appended. By default it is written to standard output",
    optional: true,
    group: "Worker pool:",
  },
} as const satisfies OptionSpecs;

/** Time for sources to nack the messages that they hold; ms. */
const STOP_GRACE_MS = 3000;

export const workerPoolCommand = defineCommand({
  details:
    "Runs beside each TaskManager, on the same machine or in the same pod: workers connect to the TaskManager on the loopback " +
    "interface. Starts a worker for each parallel subtask of the pipeline in the TaskManager. Only callers with the access " +
    "token can start workers; TaskManager, worker pool and run need the same one. Runs until SIGTERM.",
  options,
  examples: [
    ["$0 worker-pool --beam-access-token-file /run/secrets/beam-token", "listens on 127.0.0.1:50000"],
    [
      "$0 worker-pool --host 0.0.0.0 --beam-access-token-file /run/secrets/beam-token",
      "is reachable for run on another machine",
    ],
  ],
  async run({ host, port, beamAccessTokenFile, workerLog }) {
    // Imported here, because Beam takes a while to load and other commands do not need it.
    const { readAccessToken } = await import("@eventlogger/beam/accessToken");
    const { startPipelineWorkerPool } = await import("../../runners/flink/workerPool.js");
    // State and logs contain personal data.
    process.umask(PRIVATE_UMASK);
    const stop = onStopSignals();
    const accessToken = readAccessToken(beamAccessTokenFile);
    const pool = await startPipelineWorkerPool({ host, port, accessToken, logFile: workerLog }).catch(
      (cause: unknown) => {
        throw new UserError(`Cannot listen on ${host}:${port}: ${(cause as Error).message}`, { cause });
      },
    );
    process.stdout.write(`worker pool of version ${packageVersion()} on ${pool.address}\n`);
    const signal = await stop.received;
    process.stdout.write(`${signal}: stopping the workers\n`);
    await pool.stop(STOP_GRACE_MS);
    stop.dispose();
    return 0;
  },
});
