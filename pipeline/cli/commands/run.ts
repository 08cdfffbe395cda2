import { bigqueryOptions, projectOption, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { atLeast, between, wholeNumber, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { colours, LiveLine } from "@eventlogger/options/terminal";
import { PRIVATE_UMASK } from "@eventlogger/process/privateFiles";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { accessTokenOption } from "../accessTokenOption";
import { definitionOptions } from "../definitionOptions";
import { INTERRUPTED } from "../exitCodes";
import { numberOptions } from "../numberOptions";
import { mixedOption, requireServices, serviceProblems } from "../services";
import { defineCommand } from "./command";

const memorySize = (value: string): string | undefined =>
  /^\d+[mg]$/i.test(value) ? undefined : "must be a size such as 1500m or 4g";
const flinkAddress = (value: string): string | undefined =>
  value === "[local]" || /^[\w.-]+:\d+$/.test(value) ? undefined : "must be [local] or host:port";
const options = {
  ...projectOption,
  subscription: pubsubOptions.subscription,
  ...bigqueryOptions,
  ...mixedOption,
  ...numberOptions,
  ...definitionOptions,
  generation: {
    type: "number",
    describe:
      "Generation to compute; the run ends when it is retired. By default the active one: the run goes on with the next one " +
      "when a rebuild has activated it",
    optional: true,
    check: wholeNumber(1, 1_000_000),
    group: "Rollups:",
  },
  flinkMaster: {
    type: "string",
    describe:
      "[local] runs Flink in one process on this machine. host:port is the REST endpoint of a Flink cluster with the command " +
      "worker-pool beside each TaskManager; --state-dir must then be on a file system that all its machines share",
    default: "[local]",
    check: flinkAddress,
    group: "Flink:",
  },
  stateDir: {
    type: "string",
    describe: "Folder for checkpoints and logs. It belongs to the tables; a run resumes from its last checkpoint",
    default: ".eventlogger",
    group: "Flink:",
  },
  restoreFrom: {
    type: "string",
    describe:
      "Folder of a savepoint or checkpoint to resume from, instead of the last checkpoint. Refused if it is older than that one",
    optional: true,
    group: "Flink:",
  },
  workerPools: {
    type: "list",
    describe:
      "Addresses of the worker pools, as host:port,host:port. By default port 50000 of the host of each TaskManager",
    default: [],
    check: (list) => {
      const wrong = list.find((address) => !/^[\w.-]+:\d+$/.test(address));
      return wrong === undefined ? undefined : `"${wrong}" is not host:port`;
    },
    group: "Flink cluster:",
  },
  ...accessTokenOption,
  fresh: {
    type: "boolean",
    describe: "Delete the state in --state-dir and start with empty state. Refused if the tables contain numbers",
    default: false,
    group: "Flink:",
  },
  acceptWrongNumbers: {
    type: "boolean",
    describe: "With --fresh: start even if the tables contain numbers, which then lack all events counted before",
    default: false,
    group: "Flink:",
  },
  checkpointInterval: {
    type: "duration",
    describe: "Interval of checkpoints. Messages are acknowledged after three checkpoints",
    default: 3000,
    check: atLeast(500),
    group: "Flink:",
  },
  ackDeadline: {
    type: "duration",
    describe:
      "Time after which the messages of a killed worker are redelivered. Pub/Sub or a worker that does not respond for " +
      "less than two thirds of it causes no redelivery",
    default: 60_000,
    check: between(10_000, 600_000),
    group: "Flink:",
  },
  heap: {
    type: "string",
    describe: "Heap limit of the Flink process, such as 4g",
    default: "2g",
    check: memorySize,
    group: "Flink:",
  },
  stateBackend: {
    type: "enum",
    choices: ["rocksdb", "heap"],
    describe:
      "Where Flink keeps state: rocksdb, on the disk in --state-dir, or heap, in the memory of --heap. With rocksdb a " +
      "checkpoint writes only what has changed. State can be resumed only with the backend that has written it",
    default: "rocksdb",
    group: "Flink:",
  },
  rocksdbMemory: {
    type: "string",
    describe: "Memory for the caches and write buffers of RocksDB, in addition to --heap, such as 1g",
    default: "512m",
    check: memorySize,
    group: "Flink:",
  },
  parallelism: {
    type: "number",
    describe:
      "Number of workers, which share all steps of the pipeline. A run can resume with another number. About one core each",
    default: 1,
    check: wholeNumber(1, 16),
    group: "Flink:",
  },
  stuckAfter: {
    type: "duration",
    describe:
      "Stop with exit code 3 when no bundle is finished, or no checkpoint is completed, for this time; 0: never",
    default: 10 * 60_000,
    check: (ms) => (ms === 0 ? undefined : atLeast(10_000)(ms)),
    group: "Monitoring:",
  },
  metricsHost: {
    type: "string",
    describe: "Address for /metrics, /healthz and /readyz. There is no authentication",
    default: "127.0.0.1",
    group: "Monitoring:",
  },
  metricsPort: {
    type: "number",
    describe: "Port for /metrics, /healthz and /readyz; 0 disables them",
    default: 9464,
    check: wholeNumber(0, 65_535),
    group: "Monitoring:",
  },
  workerMemory: {
    type: "number",
    describe: "Heap limit of a worker, in MiB",
    default: 2048,
    check: wholeNumber(256, 65_536),
    group: "Flink:",
  },
} as const satisfies OptionSpecs;

/** The options of a run. */
export type RunOptions = Options<typeof options>;

export const runCommand = defineCommand({
  name: "run",
  summary: "Run the pipeline on Flink until Ctrl-C",
  details:
    "Reads the subscription and writes raw events, dead letters and versions of the daily rollups to BigQuery. A restart " +
    "loses nothing: the run resumes from the last checkpoint in --state-dir, and unacknowledged messages are redelivered. " +
    "Start only one run for each subscription. A second run on the state directory, or for the generation, is refused.",
  options,
  examples: [
    ["$0 run --project my-project --state-dir /var/lib/eventlogger", "runs Flink in one process"],
    [
      "$0 run --session-windows beam --early-firing 2s",
      "uses Beam's session windows, and counts open sessions every 2 s",
    ],
    ["$0 run --generation 2", "computes generation 2 only, also while readers see another one"],
    ["$0 run --parallelism 4", "runs four workers on this machine"],
    [
      "$0 run --flink-master jobmanager:8081 --parallelism 4 --state-dir /shared/eventlogger --beam-access-token-file token",
      "runs on a Flink cluster",
    ],
    ["PUBSUB_EMULATOR_HOST=127.0.0.1:8085 $0 run --bigquery-endpoint http://127.0.0.1:9050", "uses emulators"],
  ],
  check: ({ fresh, acceptWrongNumbers, restoreFrom, ...services }) => [
    ...serviceProblems(services),
    ...(fresh && restoreFrom !== undefined
      ? ["--restore-from (RESTORE_FROM) cannot be combined with --fresh (FRESH), which deletes the state"]
      : []),
    ...(acceptWrongNumbers && !fresh ? ["--accept-wrong-numbers (ACCEPT_WRONG_NUMBERS) requires --fresh (FRESH)"] : []),
  ],
  async run(o) {
    const { yellow, dim } = colours(process.stdout);
    // Imported here, because Beam takes a while to load and other commands do not need it.
    const { followGenerations } = await import("../run/followGenerations.js");
    await requireServices({ ...o, pubsub: true, bigquery: { endpoint: o.bigqueryEndpoint } });
    // State and logs contain personal data. Children inherit the mask, so that it also holds for files of Flink.
    process.umask(PRIVATE_UMASK);
    let endChildren = async (): Promise<void> => {};
    const stop = onStopSignals({ beforeExit: () => endChildren(), exitCode: INTERRUPTED });
    const line = new LiveLine(process.stdout);
    const print = (text: string): void => {
      line.clear();
      process.stdout.write(`${text}\n`);
    };
    try {
      await followGenerations({
        options: o,
        bigquery: bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint }),
        stopped: stop.received,
        onState: (state) => (endChildren = () => state.endChildren(0)),
        say: (text) => print(dim(text)),
        warn: (text) => print(`${yellow("warning")} ${text}`),
        line,
      });
      return 0;
    } finally {
      stop.dispose();
    }
  },
});
