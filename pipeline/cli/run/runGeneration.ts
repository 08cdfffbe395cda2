import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BigQuery } from "@google-cloud/bigquery";
import type { FlinkRun } from "@eventlogger/beam";
import type { RunLease } from "@eventlogger/gcp/bigquery/runLease";
import { LabelledGeneration } from "@eventlogger/gcp/bigquery/stateLabels";
import { colours, type LiveLine } from "@eventlogger/options/terminal";
import { makePrivate } from "@eventlogger/process/privateFiles";
import { generationSettings } from "../../generationSettings";
import { publishedUntil } from "../../io/pubsub/source/sourceGauges";
import { ProgressFile } from "../../monitoring/progressFile";
import { RunMonitor } from "../../monitoring/runMonitor";
import { claimDataset } from "../../runners/flink/claimDataset";
import { prepareCluster } from "../../runners/flink/cluster";
import { stateDirectoryOf, watchLeaseFile } from "../../runners/flink/generationDirectory";
import { runEventPipelineOnFlink, stateSettings } from "../../runners/flink/runOnFlink";
import { savepointToRestore } from "../../runners/flink/savepoint";
import { beginBoundRun, labelProgress } from "../../runners/flink/stateBinding";
import { StateDirectory } from "../../runners/flink/stateDirectory";
import { rebuildCommand } from "../rebuildCommand";
import { nextSteps } from "../../snapshot/restoredState";
import type { ChosenGeneration } from "./chooseGeneration";
import { showCounts } from "./liveCounts";
import type { RunOptions } from "./runOptions";

/** What a run creates in its state directory. */
const STATE_ENTRIES = [
  "checkpoints",
  "logs",
  "work",
  "current.json",
  "settings.json",
  "processes.json",
  "progress.json",
];

/** Interval at which the generation is labelled with the last checkpoint; ms. */
const LABEL_EVERY_MS = 5 * 60_000;

export interface GenerationRun {
  readonly options: RunOptions;
  readonly bigquery: BigQuery;
  readonly chosen: ChosenGeneration;
  /** Resolves when the process has to stop. */
  readonly stopped: Promise<NodeJS.Signals>;
  /** Called with the state directory as soon as its processes may have to be stopped. */
  readonly onState: (state: StateDirectory) => void;
  /** Prints a warning. */
  readonly warn: (text: string) => void;
  readonly line: LiveLine;
}

/** Resolves when the workers have processed the first bundle. */
async function firstBundle(run: FlinkRun): Promise<void> {
  while ((run.workers.counters["worker.bundles"] ?? 0) === 0) await sleep(100);
}

/**
 * Runs the pipeline of one generation on Flink, until a signal arrives or the generation is retired.
 * @throws StateDirectoryInUseError, LeaseHeldError when another run computes it; the errors of the parts of a run
 */
export async function runGeneration(request: GenerationRun): Promise<"stopped" | "retired"> {
  const { options: o, bigquery, chosen, stopped, warn, line } = request;
  const { generation, sessionGapMs, timeZone, countBots } = chosen;
  const { dim, green } = colours(process.stdout);
  const say = (text: string): void => void process.stdout.write(`${dim(text)}\n`);
  const directory = stateDirectoryOf(o.stateDir, generation);
  makePrivate(path.resolve(o.stateDir), STATE_ENTRIES);
  makePrivate(path.resolve(directory), STATE_ENTRIES);
  const state = await StateDirectory.open(directory);
  request.onState(state);
  let run: FlinkRun | undefined;
  let hideCounts = (): void => {};
  let lastLabel = async (): Promise<void> => {};
  let unwatchLease = (): void => {};
  let monitor: RunMonitor | undefined;
  let lease: RunLease | undefined;
  let progress: ProgressFile | undefined;
  try {
    if (!state.isLocked) {
      warn(`the command flock is missing, so that a run in another container on ${state.directory} is not noticed`);
    }
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
    const settings = stateSettings({ ...o, ...chosen });
    const numbers = new LabelledGeneration(bigquery, o.dataset, generation);
    const claim = async (): Promise<void> => {
      lease = await claimDataset({
        bigquery,
        dataset: o.dataset,
        generation,
        resources: {
          subscription: chosen.subscription,
          replayTopic: chosen.row?.replayTopic ?? null,
          replaySubscription: chosen.replaySubscription,
        },
        state,
        settings: generationSettings(sessionGapMs, undefined, timeZone, countBots),
        fresh: o.fresh,
        onTrouble: (error) =>
          say(error ? `could not extend the lease of the generation: ${error.message}` : "extended the lease again"),
        watermark: () => run && publishedUntil(run.workers.gauges, "live"),
      });
    };
    const cluster = o.flinkMaster === "[local]" ? undefined : await prepareCluster(o, state, say);
    const savepoint =
      o.restoreFrom === undefined ? undefined : savepointToRestore(o.restoreFrom, state.recordedCheckpoint);
    const rebuild = rebuildCommand(o, { takeOver: true });
    const begun = await beginBoundRun(state, numbers, settings, { ...o, rebuildCommand: rebuild, claim });
    const start = savepoint ? { ...begun, restoreFrom: savepoint } : begun;
    const never = new Promise<never>(() => {});
    const lost = lease?.lost ?? never;
    const retired = lease?.retired.then(() => "retired" as const) ?? never;
    unwatchLease = watchLeaseFile(state.directory, () => void lease?.check());
    progress = new ProgressFile(state.directory, (error) => warn(`cannot write the progress: ${error.message}`));
    if (start.restored) warn(nextSteps(state.directory, start.restored));
    if (o.fresh) say("deleted the state");
    if (o.acceptWrongNumbers) {
      warn("the numbers lack all events that were counted before this start");
    }
    lastLabel = labelProgress(state, numbers, {
      everyMs: LABEL_EVERY_MS,
      onError: (error) => say(`could not label the generation with the last checkpoint: ${error.message}`),
    });
    const starting = runEventPipelineOnFlink(
      {
        ...o,
        generation,
        sessionGapMs,
        timeZone,
        countBots,
        subscription: chosen.subscription,
        replaySubscription: chosen.replaySubscription,
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
    const signalled = stopped.then(() => "stopped" as const);
    const started = await Promise.race([starting, signalled, retired, lost]);
    if (typeof started === "string") {
      process.stdout.write("stopping before the pipeline has started\n");
      return started;
    }
    run = started;
    monitor.watch(run, start.checkpointRecord);
    progress.follow(run);
    await Promise.race([firstBundle(run), run.finished, signalled, retired, stuck, lost]);
    process.stdout.write(
      `${green("running")} generation ${generation}, reading ${chosen.subscription}; logs in ${state.logs}\n`,
    );
    hideCounts = showCounts(run, line, monitor);
    const ended = run.finished.then((end): never => {
      throw new Error(`The job ended unexpectedly (${end})`);
    });
    const end = await Promise.race([signalled, retired, ended, stuck, lost]);
    hideCounts();
    if (end === "stopped") {
      process.stdout.write(`${await stopped}: stopping; the next run resumes from the last checkpoint\n`);
    } else process.stdout.write(`generation ${generation} was retired; stopping its pipeline\n`);
    return end;
  } finally {
    hideCounts();
    unwatchLease();
    progress?.stop();
    await (run ? run.stop() : state.endChildren());
    await lastLabel();
    await lease?.release((error) => say(`could not release the lease of the generation: ${error.message}`));
    await monitor?.stop();
    state.close();
  }
}
