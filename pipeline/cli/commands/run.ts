import { bigqueryOptions, projectOption, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { atLeast, between, wholeNumber, type OptionSpecs } from "@eventlogger/options/options";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { FlinkRun } from "@eventlogger/beam";
import type { RunMonitor as Monitor } from "../../monitoring/runMonitor";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import type { RunLease } from "@eventlogger/gcp/bigquery/runLease";
import { FIRST_GENERATION } from "@eventlogger/gcp/bigquery/generations";
import { LabelledGeneration } from "@eventlogger/gcp/bigquery/stateLabels";
import { checkTables } from "@eventlogger/gcp/bigquery/setup/checkTables";
import { mergeDiagnostics, type Diagnostics } from "@eventlogger/gcp/diagnostics";
import { replaySubscription } from "@eventlogger/gcp/pubsub/replayNames";
import { checkSubscription } from "@eventlogger/gcp/pubsub/setup/checkSubscription";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { makePrivate, PRIVATE_UMASK } from "@eventlogger/process/privateFiles";
import { accessTokenOption } from "../accessTokenOption";
import { INTERRUPTED } from "../exitCodes";
import { defineCommand } from "./command";
import { numberOptions } from "../numberOptions";
import { mixedOption, requireServices, serviceProblems } from "../services";
import { colours, grouped, LiveLine } from "@eventlogger/options/terminal";

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

/** What a run creates in its state directory. */
const STATE_ENTRIES = ["checkpoints", "logs", "work", "current.json", "settings.json", "processes.json"];

/** Interval at which the tables are labelled with the last checkpoint; ms. */
const LABEL_EVERY_MS = 5 * 60_000;

/**
 * Preflight checks of errors that would otherwise occur only in a worker.
 * @throws Error with all problems
 */
async function checkSourceAndSinks(
  project: string,
  subscriptions: readonly string[],
  dataset: string,
  endpoint?: string,
): Promise<Diagnostics> {
  const pubsub = pubSubClient({ project });
  try {
    const found = mergeDiagnostics(
      await Promise.all([
        ...subscriptions.map((subscription) => checkSubscription(pubsub, subscription)),
        checkTables(bigQueryClient({ project, endpoint }), dataset),
      ]),
    );
    if (found.problems.length) throw new Error(found.problems.join("\n"));
    return found;
  } finally {
    await pubsub.close();
  }
}

function status(counters: Readonly<Record<string, number>>, seconds: number, rate: number, restarts: number): string {
  const n = (name: string): string => grouped(counters[name] ?? 0);
  const replayed = counters["replayedEvents"] ? `, ${n("replayedEvents")} replayed` : "";
  const dead = counters["deadLetters"] ? `, ${n("deadLetters")} dead letters` : "";
  const failed = counters["worker.failedBundles"] ? `, ${n("worker.failedBundles")} failed bundles` : "";
  const restarted = restarts ? `, ${grouped(restarts)} restarts of the job` : "";
  return `${grouped(seconds)} s  ${n("events")} events (${grouped(rate)}/s)${replayed}, ${n("rollupVersions")} rollup versions${dead}${failed}${restarted}`;
}

/** Draws the live line. @returns a function that removes it */
function showCounts(run: FlinkRun, line: LiveLine, monitor: Monitor): () => void {
  const startedAt = performance.now();
  let last = 0;
  const timer = setInterval(() => {
    const events = run.workers.counters["events"] ?? 0;
    const rate = events - last;
    last = events;
    const text = (): string =>
      status(run.workers.counters, (performance.now() - startedAt) / 1000, rate, monitor.restarts);
    line.draw(() => [text(), ...monitor.problems()].join("; "));
  }, 1000);
  return () => {
    clearInterval(timer);
    line.clear();
  };
}

/** Resolves when the workers have processed the first bundle. */
async function firstBundle(run: FlinkRun): Promise<void> {
  while ((run.workers.counters["worker.bundles"] ?? 0) === 0) await sleep(100);
}

export const runCommand = defineCommand({
  name: "run",
  summary: "Run the pipeline on Flink until Ctrl-C",
  details:
    "Reads the subscription and writes raw events, dead letters and versions of the daily rollups to BigQuery. A restart " +
    "loses nothing: the run resumes from the last checkpoint in --state-dir, and unacknowledged messages are redelivered. " +
    "Start only one run for each subscription. A second run on the state directory, or for the dataset, is refused.",
  options,
  examples: [
    ["$0 run --project my-project --state-dir /var/lib/eventlogger", "runs Flink in one process"],
    [
      "$0 run --session-windows beam --early-firing 2s",
      "uses Beam's session windows, and counts open sessions every 2 s",
    ],
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
    const { dim, yellow, green } = colours(process.stdout);
    const say = (text: string): void => void process.stdout.write(`${dim(text)}\n`);
    // Imported here, because Beam takes a while to load and other commands do not need it.
    const { RunMonitor } = await import("../../monitoring/runMonitor.js");
    const { StateDirectory } = await import("../../runners/flink/stateDirectory.js");
    const { beginBoundRun, labelProgress } = await import("../../runners/flink/stateBinding.js");
    const { claimDataset } = await import("../../runners/flink/claimDataset.js");
    const { generationSettings } = await import("../../generationSettings.js");
    const { prepareCluster } = await import("../../runners/flink/cluster.js");
    const { nextSteps } = await import("../../snapshot/restoredState.js");
    const { savepointToRestore } = await import("../../runners/flink/savepoint.js");
    const { runEventPipelineOnFlink, stateSettings } = await import("../../runners/flink/runOnFlink.js");
    await requireServices({ ...o, pubsub: true, bigquery: { endpoint: o.bigqueryEndpoint } });
    // State and logs contain personal data. Children inherit the mask, so that it also holds for files of Flink.
    process.umask(PRIVATE_UMASK);
    makePrivate(path.resolve(o.stateDir), STATE_ENTRIES);
    const state = await StateDirectory.open(o.stateDir);
    const stop = onStopSignals({ beforeExit: () => state.endChildren(0), exitCode: INTERRUPTED });
    const stopped = stop.received;
    let run: FlinkRun | undefined;
    let hideCounts = (): void => {};
    let lastLabel = async (): Promise<void> => {};
    const line = new LiveLine(process.stdout);
    const warn = (text: string): void => {
      line.clear();
      process.stdout.write(`${yellow("warning")} ${text}\n`);
    };
    let monitor: Monitor | undefined;
    let lease: RunLease | undefined;
    try {
      if (!state.isLocked) {
        warn(`the command flock is missing, so that a run in another container on ${state.directory} is not noticed`);
      }
      const replayed = replaySubscription(o.subscription, FIRST_GENERATION);
      const { warnings } = await checkSourceAndSinks(
        o.project,
        [o.subscription, replayed],
        o.dataset,
        o.bigqueryEndpoint,
      );
      for (const warning of warnings) warn(warning);
      monitor = await RunMonitor.start({
        host: o.metricsHost,
        port: o.metricsPort || undefined,
        stuckAfterMs: o.stuckAfter,
        checkpointIntervalMs: o.checkpointInterval,
        directory: state.directory,
        logs: state.logs,
        warn,
      });
      const { stuck } = monitor;
      if (monitor.address) say(`metrics on http://${monitor.address}/metrics`);
      const settings = stateSettings({ ...o, sessionGapMs: o.sessionGap });
      const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
      const tables = new LabelledGeneration(bigquery, o.dataset, FIRST_GENERATION);
      const claim = async (): Promise<void> => {
        lease = await claimDataset({
          bigquery,
          dataset: o.dataset,
          generation: FIRST_GENERATION,
          state,
          settings: generationSettings(o.sessionGap),
          fresh: o.fresh,
          onTrouble: (error) =>
            say(error ? `could not extend the lease of the dataset: ${error.message}` : "extended the lease again"),
        });
      };
      const cluster = o.flinkMaster === "[local]" ? undefined : await prepareCluster(o, state, say);
      const savepoint =
        o.restoreFrom === undefined ? undefined : savepointToRestore(o.restoreFrom, state.recordedCheckpoint);
      const begun = await beginBoundRun(state, tables, settings, { ...o, claim });
      const start = savepoint ? { ...begun, restoreFrom: savepoint } : begun;
      const lost = lease?.lost ?? new Promise<never>(() => {});
      if (start.restored) warn(nextSteps(state.directory, start.restored));
      if (o.fresh) say("deleted the state");
      if (o.acceptWrongNumbers) {
        warn("the numbers lack all events that were counted before this start");
      }
      lastLabel = labelProgress(state, tables, {
        everyMs: LABEL_EVERY_MS,
        onError: (error) => say(`could not label the tables with the last checkpoint: ${error.message}`),
      });
      const starting = runEventPipelineOnFlink(
        {
          ...o,
          replaySubscription: replayed,
          sessionGapMs: o.sessionGap,
          lateAfterMs: o.lateAfter,
          earlyFiringMs: o.earlyFiring,
          checkpointIntervalMs: o.checkpointInterval,
          workerMemoryMiB: o.workerMemory,
          ackDeadlineMs: o.ackDeadline,
          bigqueryEndpoint: o.bigqueryEndpoint,
          maxBundleMs: 200,
          cluster,
        },
        state,
        start,
        say,
        (failure) => monitor?.failed(failure),
      );
      starting.catch(() => {}); // fails when its processes are stopped below
      run = await Promise.race([starting, stopped.then(() => undefined), lost]);
      if (!run) {
        process.stdout.write("stopping before the pipeline has started\n");
        return 0;
      }
      monitor.watch(run, start.checkpointRecord);
      await Promise.race([firstBundle(run), run.finished, stopped, stuck, lost]);
      process.stdout.write(`${green("running")} reading ${o.subscription}; logs in ${state.logs}\n`);
      hideCounts = showCounts(run, line, monitor);
      const ended = run.finished.then((end): never => {
        throw new Error(`The job ended unexpectedly (${end})`);
      });
      const signal = await Promise.race([stopped, ended, stuck, lost]);
      hideCounts();
      process.stdout.write(`${signal}: stopping; the next run resumes from the last checkpoint\n`);
      return 0;
    } finally {
      hideCounts();
      await (run ? run.stop() : state.endChildren());
      await lastLabel();
      await lease?.release((error) => say(`could not release the lease of the dataset: ${error.message}`));
      await monitor?.stop();
      state.close();
      stop.dispose();
    }
  },
});
