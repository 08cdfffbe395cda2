import { setTimeout as sleep } from "node:timers/promises";
import { dimensionProblem, DEFAULT_DIMENSIONS } from "@eventlogger/gcp/bigquery/breakdowns/dimensions";
import {
  DEFAULT_LOOK_BACK_MS,
  refreshBreakdowns,
  type RefreshResult,
} from "@eventlogger/gcp/bigquery/breakdowns/refreshBreakdowns";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { bigqueryOptions, projectOption } from "@eventlogger/gcp/gcpOptions";
import { between, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { Progress } from "@eventlogger/options/progress";
import { colours } from "@eventlogger/options/terminal";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { refreshDocument, refreshLines } from "../../breakdowns/refreshLines";
import { INTERRUPTED } from "../exitCodes";
import { metricsFileOption, metricsText, writeMetricsFile } from "../metricsFile/metricsFile";
import { refreshMetrics } from "../metricsFile/refreshMetrics";
import { jsonOption, writeResult } from "../output";
import { requireServices, serviceProblems } from "../services";
import { defineCommand } from "./command";

const DAY_MS = 86_400_000;

const options = {
  ...projectOption,
  ...bigqueryOptions,
  breakdowns: {
    type: "list",
    describe:
      "Dimensions that events are counted by: fields of the event, and properties such as properties.plan. Default: those of the " +
      `last refresh, at first ${DEFAULT_DIMENSIONS.join(",")}. Others compute all days again`,
    optional: true,
    check: (names) => names.map(dimensionProblem).find((problem) => problem !== undefined),
  },
  every: {
    type: "duration",
    describe: "Refresh again and again, this long after the start of the last one, until Ctrl-C. Default: once",
    optional: true,
    check: between(1000, DAY_MS),
    isFlagOnly: true,
  },
  lookBack: {
    type: "duration",
    describe:
      "How long before the last refresh rows may have been received that were written after it. Pub/Sub keeps messages for 7 days",
    default: DEFAULT_LOOK_BACK_MS,
    check: between(3_600_000, 400 * DAY_MS),
  },
  all: {
    type: "boolean",
    describe: "Compute all days again. By default only the days that were touched since the last refresh",
    default: false,
    isFlagOnly: true,
  },
  dryRun: {
    type: "boolean",
    describe: "Show the days that would be computed, and the bytes that BigQuery would read, but write nothing",
    default: false,
    isFlagOnly: true,
  },
  ...metricsFileOption,
  ...jsonOption,
} as const satisfies OptionSpecs;

type Values = Options<typeof options>;

/** Refreshes once. @throws as refreshBreakdowns */
async function refreshOnce(o: Values, progress: Progress, signal: AbortSignal): Promise<RefreshResult> {
  const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
  return refreshBreakdowns(bigquery, {
    ...{ dataset: o.dataset, dimensions: o.breakdowns, lookBackMs: o.lookBack, all: o.all, dryRun: o.dryRun, signal },
    step: (name, work) => progress.step(name, work),
  });
}

/** Prints the result, and writes it as metrics unless it is that of a dry run. @param startedAt epoch ms */
async function report(o: Values, result: RefreshResult, startedAt: number): Promise<void> {
  const run = { startedAt, endedAt: Date.now() };
  const durationMs = run.endedAt - startedAt;
  const document = refreshDocument(result, durationMs);
  if (o.every === undefined || !o.json) {
    writeResult(o.json, document, refreshLines(result, durationMs, { ...colours(process.stdout), dryRun: o.dryRun }));
  } else {
    process.stdout.write(`${JSON.stringify(document)}\n`);
  }
  if (o.metricsFile === undefined || o.dryRun) return;
  await writeMetricsFile(o.metricsFile, await metricsText(refreshMetrics(result, run), { dataset: o.dataset }));
}

/** Refreshes until the signal. A failure is reported, and the next refresh does what it missed. */
async function refreshForever(o: Values, everyMs: number, signal: AbortSignal): Promise<void> {
  const progress = new Progress(process.stderr);
  while (!signal.aborted) {
    const startedAt = Date.now();
    try {
      await report(o, await refreshOnce(o, progress, signal), startedAt);
    } catch (error) {
      if (signal.aborted) return;
      const message = error instanceof Error ? error.message : String(error);
      process.stderr.write(`${colours(process.stderr).red("refresh failed:")} ${message}\n`);
    }
    await sleep(Math.max(0, startedAt + everyMs - Date.now()), undefined, { signal }).catch(() => {});
  }
}

export const refreshCommand = defineCommand({
  details:
    "Counts events, persons and sessions by the values of dimensions, for each day and hour, by SQL from the raw events. Reads only " +
    "the days that were touched since the last refresh. It can be interrupted, repeated, and run twice at the same time.",
  options,
  examples: [
    ["$0 refresh --project my-project", "computes the days that were touched since the last refresh"],
    ["$0 refresh --project my-project --every 10m", "refreshes every 10 minutes until Ctrl-C"],
    [
      "$0 refresh --project my-project --breakdowns country,app,properties.plan",
      "computes all days by other dimensions",
    ],
    ["$0 refresh --project my-project --all --dry-run", "tells what computing all days again would read"],
    ["$0 refresh --bigquery-endpoint http://127.0.0.1:9050", "uses an emulator"],
  ],
  check({ every, dryRun, all, ...o }) {
    const problems = serviceProblems(o);
    if (every !== undefined && dryRun)
      problems.push("--every and --dry-run cannot be combined: a dry run is done once");
    if (every !== undefined && all)
      problems.push("--every and --all cannot be combined: each refresh would compute all days");
    return problems;
  },
  async run(o) {
    await requireServices({ project: o.project, bigquery: { endpoint: o.bigqueryEndpoint } });
    const stop = onStopSignals();
    try {
      if (o.every !== undefined) {
        await refreshForever(o, o.every, stop.signal);
        return 0;
      }
      const startedAt = Date.now();
      await report(o, await refreshOnce(o, new Progress(process.stderr), stop.signal), startedAt);
      return 0;
    } catch (error) {
      if (!stop.signal.aborted) throw error;
      process.stderr.write("Interrupted. The next refresh computes what is missing\n");
      return INTERRUPTED;
    } finally {
      stop.dispose();
    }
  },
});
