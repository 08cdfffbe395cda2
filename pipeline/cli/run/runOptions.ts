import { bigqueryOptions, projectOption, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { atLeast, between, wholeNumber, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { accessTokenOption } from "../accessTokenOption";
import { definitionOptions } from "../definitionOptions";
import { numberOptions } from "../numberOptions";
import { mixedOption } from "../services";

const memorySize = (value: string): string | undefined =>
  /^\d+[mg]$/i.test(value) ? undefined : "must be a size such as 1500m or 4g";
const flinkAddress = (value: string): string | undefined =>
  value === "[local]" || /^[\w.-]+:\d+$/.test(value) ? undefined : "must be [local] or host:port";
/** The options of the command `run`. */
export const runOptions = {
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

/** Their values. */
export type RunOptions = Options<typeof runOptions>;
