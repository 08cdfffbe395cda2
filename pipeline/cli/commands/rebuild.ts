import { dayFromIso } from "@eventlogger/events/day";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import {
  countsBots,
  readGeneration,
  recordJob,
  timeZoneOf,
  type Generation,
} from "@eventlogger/gcp/bigquery/generations";
import { pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { formatDuration, wholeNumber, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { colours, type Output } from "@eventlogger/options/terminal";
import { PRIVATE_UMASK } from "@eventlogger/process/privateFiles";
import { onStopSignals, StopRequestedError } from "@eventlogger/process/stopSignals";
import type { RebuildDriver } from "../../rebuild/driver";
import type { WantedDefinitions } from "../../rebuild/definitions";
import { REBUILD_TIMES, type RebuildServices, type RebuildTimes } from "../../rebuild/services";
import { launchOptions } from "../dataflow/launchOptions";
import {
  checkRebuildLaunch,
  rebuildDriver,
  rebuildLaunchOptions,
  type RebuildLaunchOptions,
} from "../dataflow/rebuildDriver";
import { definitionOptions } from "../definitionOptions";
import { INTERRUPTED } from "../exitCodes";
import { numberOptions } from "../numberOptions";
import { jsonOption, progressOutput, writeResult } from "../output";
import { requireServices, serviceProblems } from "../services";
import { defineCommand } from "./command";
import { runCommand } from "./run";

/** Options of `run` that a rebuild decides itself. */
const NOT_PASSED = ["fresh", "acceptWrongNumbers", "restoreFrom", "generation", "metricsHost", "metricsPort"];

/** Options of `run`, which the pipeline of the new generation gets. */
const runOptions: OptionSpecs = Object.fromEntries(
  Object.entries(runCommand.options).filter(([name]) => !NOT_PASSED.includes(name) && !(name in definitionOptions)),
);

const ownOptions = {
  runner: {
    type: "enum",
    choices: ["flink", "dataflow"],
    describe: "Runner of the new generation: flink, with the options of run; or dataflow, with the options of launch",
    default: "flink",
    group: "Rebuild:",
  },
  topic: pubsubOptions.topic,
  ...definitionOptions,
  from: {
    type: "string",
    describe:
      "Replay only rows received on this day or later (YYYY-MM-DD). Refused while earlier rows exist, because first days of " +
      "users depend on all rows",
    optional: true,
    check: (text) => (dayFromIso(text) === undefined ? "must be a day such as 2026-01-31" : undefined),
    group: "Rebuild:",
  },
  rate: {
    type: "number",
    describe: "Maximum number of rows replayed per second; 0: as fast as possible",
    default: 0,
    check: wholeNumber(0, 10_000_000),
    group: "Rebuild:",
  },
  keepOld: {
    type: "boolean",
    describe:
      "Compute the old generation further after the switch, for a comparison. `rebuild --abort` removes it later",
    optional: true,
    group: "Rebuild:",
  },
  takeOver: {
    type: "boolean",
    describe:
      "The state of the active generation is lost: read on from its subscription. The old generation cannot go on afterwards",
    optional: true,
    group: "Rebuild:",
  },
  acceptDeletedRows: {
    type: "boolean",
    describe:
      "Rebuild although rows of the table events are deleted, for example by --event-retention of setup. The numbers of their days, " +
      "new users and total users are then not exact",
    default: false,
    group: "Rebuild:",
  },
  abort: {
    type: "boolean",
    describe: "Remove the unfinished new generation, and leave the active one as it is",
    default: false,
    group: "Rebuild:",
  },
  dryRun: {
    type: "boolean",
    describe: "Change nothing, and print what would be read and sent, with its cost",
    default: false,
    group: "Rebuild:",
  },
  ...jsonOption,
} as const satisfies OptionSpecs;

/** The options of `run` that the command itself uses. */
interface UsedRunOptions {
  readonly project: string;
  readonly subscription: string;
  readonly dataset: string;
  readonly bigqueryEndpoint: string | undefined;
  readonly mixed: boolean;
  readonly stateDir: string;
  readonly ackDeadline: number;
  readonly sessionWindows: "state" | "beam" | undefined;
}

type Values = Options<typeof ownOptions> & UsedRunOptions;

/** Its default depends on the runner. */
const { type, choices, describe, group } = numberOptions.sessionWindows;
const sessionWindows = { type, choices, describe, group, optional: true } as const;

const options: typeof ownOptions = {
  ...rebuildLaunchOptions,
  ...runOptions,
  ...{ sessionWindows },
  ...ownOptions,
};

function wantedOf({ sessionGap, timeZone, countBots, ...rest }: Values): WantedDefinitions {
  const { from, keepOld, takeOver, acceptDeletedRows } = rest;
  return { sessionGapMs: sessionGap, timeZone, countBots, from, keepOld, takeOver, acceptDeletedRows };
}

type BigQueryClient = ReturnType<typeof bigQueryClient>;

/** The driver of the runner that computes the active generation. */
async function driverOf(o: Values, bigquery: BigQueryClient, output: Output): Promise<RebuildDriver> {
  if (o.runner === "dataflow") {
    const given = o as unknown as RebuildLaunchOptions;
    const launch = { ...given, sessionWindows: o.sessionWindows ?? launchOptions.sessionWindows.default };
    return rebuildDriver(launch, { bigquery, output, say: (line) => void output.write(`${line}\n`) });
  }
  const { FlinkDriver } = await import("../../rebuild/flink/flinkDriver.js");
  const { runArguments } = await import("../../rebuild/flink/runArguments.js");
  const given = o as unknown as Readonly<Record<string, unknown>>;
  const passed = Object.fromEntries(Object.keys(runOptions).map((name) => [name, given[name]]));
  return new FlinkDriver({
    stateDir: o.stateDir,
    runArguments: (generation) => runArguments(generation, passed),
    read: (generation) => readGeneration(bigquery, o.dataset, generation),
    recordJob: (generation, job) => recordJob(bigquery, o.dataset, generation, job),
  });
}

/** A pipeline does not know how far it is until the leases of the run before it have ended. */
function timesOf({ ackDeadline }: Values): Partial<RebuildTimes> {
  return {
    previousLimitMs: REBUILD_TIMES.previousLimitMs + 2 * ackDeadline,
    progressLimitMs: REBUILD_TIMES.progressLimitMs + 2 * ackDeadline,
  };
}

/** Time added to the lease of messages until a subscription that delivers nothing is empty; ms. */
const QUIET_MARGIN_MS = 2000;
/**
 * The same for a job on Dataflow, whose leases are not known. No message from before the cut-off is unacknowledged then, by the
 * metric of the subscription, which counts leased messages, too.
 */
const DATAFLOW_QUIET_MS = 60_000;

async function servicesOf(
  o: Values,
  bigquery: BigQueryClient,
  pubsub: ReturnType<typeof pubSubClient>,
  output: Output,
): Promise<RebuildServices> {
  const { bigQueryStore } = await import("../../rebuild/gcp/bigQueryStore.js");
  const { pubsubResources } = await import("../../rebuild/gcp/pubsubResources.js");
  const { eventRows } = await import("../../rebuild/gcp/eventRows.js");
  const { sqlVerifier } = await import("../../rebuild/gcp/sqlVerifier.js");
  return {
    store: bigQueryStore(bigquery, o.dataset),
    resources: pubsubResources(
      pubsub,
      o,
      o.runner === "dataflow" ? DATAFLOW_QUIET_MS : o.ackDeadline + QUIET_MARGIN_MS,
    ),
    rows: eventRows(bigquery, o.dataset, pubsub, o.rate),
    verifier: sqlVerifier(bigquery, o.dataset),
    driver: await driverOf(o, bigquery, output),
  };
}

const describeDefinitions = ({ settings }: Pick<Generation, "settings">): string =>
  `session gap ${formatDuration(settings.sessionGapMs)}, time zone ${timeZoneOf(settings)}, ` +
  (countsBots(settings) ? "bots count" : "bots do not count");

/** Prints what a rebuild would do. Changes nothing. */
async function plan(o: Values, bigquery: BigQueryClient, services: RebuildServices): Promise<number> {
  const { planRebuild } = await import("../../rebuild/plan/planRebuild.js");
  const { planLines } = await import("../../rebuild/plan/plan.js");
  const planned = await planRebuild(services, wantedOf(o), { bigquery, dataset: o.dataset });
  const { active, next, phase } = planned;
  writeResult(o.json, { ...planned, active: active.generation, next: { ...next, settings: undefined } }, [
    phase === undefined
      ? `would rebuild generation ${active.generation} as generation ${next.generation}`
      : `would go on with the rebuild of generation ${next.generation} (${phase})`,
    `from      ${describeDefinitions(active)}`,
    `to        ${describeDefinitions(next)}`,
    ...planLines(planned.plan),
  ]);
  return 0;
}

export const rebuildCommand = defineCommand({
  details:
    "Computes a new generation of the numbers beside the active one, with other definitions or after a loss of state: reads live " +
    "events by a subscription of its own, replays the table events, waits until it has caught up, compares it with the raw " +
    "events by SQL, and activates it by one statement. Readers see the old numbers until then. It can be interrupted at any " +
    "moment: the same command goes on. On Flink it runs on the machine of `run`, with the same options, and needs as much memory " +
    "again. With --runner dataflow it launches a second job, and cancels the old one after the switch. Exit code 1 if it fails, and 130 if it is interrupted.",
  options,
  examples: [
    ["$0 rebuild --project my-project --session-gap 15m --dry-run", "shows rows and costs, and changes nothing"],
    ["$0 rebuild --project my-project --session-gap 15m", "computes all numbers with another session gap"],
    [
      "$0 rebuild --project my-project --time-zone Europe/Berlin",
      "computes all numbers with days of another time zone",
    ],
    ["$0 rebuild --project my-project", "goes on with an interrupted rebuild; otherwise repairs wrong numbers"],
    ["$0 rebuild --project my-project --take-over", "computes all numbers after the state was lost"],
    ["$0 rebuild --project my-project --abort", "removes the new generation"],
    [
      "$0 rebuild --runner dataflow --session-gap 15m --project my-project --region europe-west1 --temp-location gs://my-bucket/temp --image europe-docker.pkg.dev/my-project/eventlogger/eventlogger-worker:0.1.0",
      "computes all numbers by a second job on Dataflow, with the options of launch",
    ],
  ],
  check: (o) => [
    ...serviceProblems(o as Partial<Values>),
    ...(o.runner === "dataflow" ? checkRebuildLaunch(o) : []),
    ...(o.abort && o.dryRun ? ["--abort (ABORT) cannot be combined with --dry-run (DRY_RUN)"] : []),
    ...(o.keepOld && o.takeOver
      ? [
          "--keep-old (KEEP_OLD) cannot be combined with --take-over (TAKE_OVER): nothing can compute the old generation",
        ]
      : []),
  ],
  async run(parsed) {
    const o = parsed as Values;
    await requireServices({ ...o, pubsub: true, bigquery: { endpoint: o.bigqueryEndpoint } });
    // The state directory of the new generation contains personal data.
    process.umask(PRIVATE_UMASK);
    const { rebuild } = await import("../../rebuild/rebuild.js");
    const { abortRebuild } = await import("../../rebuild/abort.js");
    const { RebuildDisplay } = await import("../../rebuild/report/display.js");
    const { newShardHashSecret, STATE_FORMAT } = await import("../../shards.js");
    const output = progressOutput(o.json);
    const { green, yellow } = colours(output);
    const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
    const pubsub = pubSubClient({ project: o.project });
    const services = await servicesOf(o, bigquery, pubsub, output);
    if (o.dryRun) return plan(o, bigquery, services).finally(() => pubsub.close());
    const report = new RebuildDisplay(output);
    const stop = onStopSignals({
      onStop: () => report.say("stopping; Ctrl-C again stops at once"),
      // The pipeline of the new generation ends by itself when this process has ended.
      beforeExit: () => {},
      exitCode: INTERRUPTED,
    });
    const base = { services, report, signal: stop.signal, times: timesOf(o) };
    try {
      if (o.abort) {
        const removed = await abortRebuild(base);
        report.close();
        const lines = [`${green("aborted")} generation ${removed.generation} is removed`];
        if (removed.tookOver) {
          lines.push(
            `${yellow("warning")} the active generation lacks the events that the removed one has read: its state was lost before. ` +
              "`eventlogger rebuild --take-over` computes all numbers again",
          );
        }
        writeResult(o.json, removed, lines);
        return 0;
      }
      const result = await rebuild({
        ...base,
        wanted: wantedOf(o),
        newState: () => ({ shardHashSecret: newShardHashSecret(), stateFormat: STATE_FORMAT }),
      });
      report.close();
      const active = await readGeneration(bigquery, o.dataset, result.generation);
      const advice = active ? services.driver.advice(active, result) : [];
      writeResult(o.json, { ...result, advice }, [
        `${green("rebuilt")} readers see generation ${result.generation}${active ? `: ${describeDefinitions(active)}` : ""}`,
        ...advice,
      ]);
      return 0;
    } catch (error) {
      if (!(error instanceof StopRequestedError)) throw error;
      report.close();
      output.write(
        "stopped; the same command continues here, and `eventlogger rebuild --abort` removes the new generation\n",
      );
      return INTERRUPTED;
    } finally {
      report.close();
      stop.dispose();
      await pubsub.close();
    }
  },
});
