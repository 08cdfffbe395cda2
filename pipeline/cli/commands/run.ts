import { bigqueryOptions, projectOption, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { wholeNumber, type OptionSpecs } from "@eventlogger/options/options";
import type { FlinkRun } from "@eventlogger/beam";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { LabelledTables } from "@eventlogger/gcp/bigquery/stateLabels";
import { checkTables } from "@eventlogger/gcp/bigquery/setup/checkTables";
import { allFindings, type Findings } from "@eventlogger/gcp/diagnostics";
import { checkSubscription } from "@eventlogger/gcp/pubsub/setup/checkSubscription";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { defineCommand } from "./command";
import { atLeast, numberOptions } from "../numberOptions";
import { colours, grouped, LiveLine } from "@eventlogger/options/terminal";

const heapSize = (value: string): string | undefined =>
  /^\d+[mg]$/i.test(value) ? undefined : "must be a size such as 1500m or 4g";
const flinkAddress = (value: string): string | undefined =>
  value === "[local]" || /^[\w.-]+:\d+$/.test(value) ? undefined : "must be [local] or host:port";

const options = {
  ...projectOption,
  subscription: pubsubOptions.subscription,
  ...bigqueryOptions,
  ...numberOptions,
  flinkMaster: {
    type: "string",
    describe: "[local] runs Flink in one process here; host:port submits to a cluster",
    default: "[local]",
    check: flinkAddress,
    group: "Flink:",
  },
  stateDir: {
    type: "string",
    describe: "Folder for checkpoints and logs. It belongs to the tables: a run resumes from its last checkpoint",
    default: ".eventlogger",
    group: "Flink:",
  },
  fresh: {
    type: "boolean",
    describe: "Delete the state in the folder and start with empty state. Refused when the tables hold numbers",
    default: false,
    group: "Flink:",
  },
  acceptWrongNumbers: {
    type: "boolean",
    describe: "With --fresh: start even when the tables hold numbers, which then lack every event counted before",
    default: false,
    group: "Flink:",
  },
  checkpointInterval: {
    type: "duration",
    describe: "Time between checkpoints; messages are acknowledged after three",
    default: 3000,
    check: atLeast(500, "500ms"),
    group: "Flink:",
  },
  heap: {
    type: "string",
    describe: "Heap limit of the Flink process",
    default: "2g",
    check: heapSize,
    group: "Flink:",
  },
  workerMemory: {
    type: "number",
    describe: "Heap limit of a worker, MiB",
    default: 2048,
    check: wholeNumber(256, 65_536),
    group: "Flink:",
  },
} as const satisfies OptionSpecs;

/** Between labels that tell the tables the last checkpoint; ms. */
const LABEL_EVERY_MS = 5 * 60_000;

/** Finds out before anything starts what would only fail in a worker. @throws Error that says what to do */
async function checkEnds(project: string, subscription: string, dataset: string, endpoint?: string): Promise<Findings> {
  const pubsub = pubSubClient({ project });
  try {
    const found = allFindings(
      await Promise.all([
        checkSubscription(pubsub, subscription),
        checkTables(bigQueryClient({ project, endpoint }), dataset),
      ]),
    );
    if (found.problems.length) throw new Error(found.problems.join("\n"));
    return found;
  } finally {
    await pubsub.close();
  }
}

function status(counters: Readonly<Record<string, number>>, seconds: number, rate: number): string {
  const n = (name: string): string => grouped(counters[name] ?? 0);
  const dead = counters["deadLetters"] ? `, ${n("deadLetters")} dead letters` : "";
  const failed = counters["worker.failedBundles"] ? `, ${n("worker.failedBundles")} failed bundles` : "";
  return `${grouped(seconds)} s  ${n("events")} events (${grouped(rate)}/s), ${n("rollupVersions")} rollup versions${dead}${failed}`;
}

/** Draws the live line until the run is over; @returns a function that ends it. */
function showCounts(run: FlinkRun): () => void {
  const line = new LiveLine(process.stdout);
  const startedAt = Date.now();
  let last = 0;
  const timer = setInterval(() => {
    const events = run.workers.counters["events"] ?? 0;
    const rate = events - last;
    last = events;
    line.draw(() => status(run.workers.counters, (Date.now() - startedAt) / 1000, rate));
  }, 1000);
  return () => {
    clearInterval(timer);
    line.clear();
  };
}

/** Resolves with the name of the signal that asks to stop. A second one calls `atOnce`. */
function stopSignal(atOnce: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.on(name, () => {
        if (asked) atOnce();
        asked = true;
        resolve(name);
      });
    }
  });
}

async function untilReading(run: FlinkRun): Promise<void> {
  while ((run.workers.counters["worker.bundles"] ?? 0) === 0) await new Promise((resolve) => setTimeout(resolve, 100));
}

export const runCommand = defineCommand({
  name: "run",
  summary: "Run the pipeline on Flink until Ctrl-C",
  details:
    "Reads the subscription and writes raw events, dead letters and versions of the daily rollups to BigQuery.\n" +
    "Stopping and starting again loses nothing: it resumes from the last checkpoint in --state-dir, and\n" +
    "what was not acknowledged by then is delivered again. One run for each subscription and state directory.",
  options,
  examples: [
    ["$0 run --project my-project --state-dir /var/lib/eventlogger", "Flink in one process"],
    ["$0 run --early-firing 2s", "session numbers every 2 s"],
    ["$0 run --flink-master flink-jobmanager:8081", "on a Flink cluster that can reach this machine"],
    ["PUBSUB_EMULATOR_HOST=127.0.0.1:8085 $0 run --bigquery-endpoint http://127.0.0.1:9050", "on emulators"],
  ],
  check: ({ fresh, acceptWrongNumbers }) =>
    acceptWrongNumbers && !fresh ? ["--accept-wrong-numbers (ACCEPT_WRONG_NUMBERS) is only used with --fresh"] : [],
  async run(o) {
    const { dim, yellow, green } = colours(process.stdout);
    const say = (text: string): void => void process.stdout.write(`${dim(text)}\n`);
    // Loaded only here: Beam takes a while to load, and the other commands do without it.
    const { StateDirectory } = await import("../../runners/flink/stateDirectory.js");
    const { beginBoundRun, labelProgress } = await import("../../runners/flink/stateBinding.js");
    const { runEventPipelineOnFlink, stateSettings } = await import("../../runners/flink/runOnFlink.js");
    const state = await StateDirectory.open(o.stateDir);
    const stopped = stopSignal(() => void state.endChildren(0).finally(() => process.exit(130)));
    let run: FlinkRun | undefined;
    let hideCounts = (): void => {};
    let lastLabel = async (): Promise<void> => {};
    try {
      const { warnings } = await checkEnds(o.project, o.subscription, o.dataset, o.bigqueryEndpoint);
      for (const warning of warnings) process.stdout.write(`${yellow("warning")} ${warning}\n`);
      const settings = stateSettings({ ...o, sessionGapMs: o.sessionGap });
      const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
      const tables = new LabelledTables(bigquery, o.dataset);
      const start = await beginBoundRun(state, tables, settings, o);
      if (o.fresh) say("the state was emptied");
      if (o.acceptWrongNumbers) {
        process.stdout.write(`${yellow("warning")} the numbers lack every event that was counted before this start\n`);
      }
      lastLabel = labelProgress(state, tables, {
        everyMs: LABEL_EVERY_MS,
        onError: (error) => say(`the tables cannot be labelled with the last checkpoint: ${error.message}`),
      });
      const starting = runEventPipelineOnFlink(
        {
          ...o,
          sessionGapMs: o.sessionGap,
          lateAfterMs: o.lateAfter,
          earlyFiringMs: o.earlyFiring,
          checkpointIntervalMs: o.checkpointInterval,
          workerMemoryMiB: o.workerMemory,
          bigqueryEndpoint: o.bigqueryEndpoint,
          maxBundleMs: 200,
        },
        state,
        start,
        say,
      );
      run = await Promise.race([starting, stopped.then(() => undefined)]);
      if (!run) {
        process.stdout.write("stopping before the pipeline has started\n");
        starting.catch(() => {}); // its processes are taken away
        await state.endChildren();
        return 0;
      }
      await Promise.race([untilReading(run), run.finished, stopped]);
      process.stdout.write(`${green("running")} reads ${o.subscription}; logs in ${state.logs}\n`);
      hideCounts = showCounts(run);
      const signal = await Promise.race([stopped, run.finished]);
      hideCounts();
      if (signal === undefined) throw new Error("The job ended, though its source has no end");
      process.stdout.write(`${signal}: stopping; the next run resumes from the last checkpoint\n`);
      return 0;
    } finally {
      hideCounts();
      await run?.stop();
      await lastLabel();
      state.close();
    }
  },
});
