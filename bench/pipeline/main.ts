/** `npm run bench:pipeline`: measures the whole pipeline on Flink, from a synthetic source to counting sinks. */
import path from "node:path";
import { totalmem } from "node:os";
import yargs from "yargs";
import { timeZoneProblem } from "@eventlogger/events/zone/zoneName";
import { readOptions, wholeNumber, yargsOptions, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { UserError } from "@eventlogger/process/main";
import { syntheticEvents } from "@eventlogger/traffic/load/syntheticMessages";
import { flinkOptions } from "../flinkOptions";
import { runTable, type RunFigures } from "../figures";
import { machine } from "../report";
import { runBenchmark, type Cleanup } from "../runBenchmark";
import { expectedTotals, totalsText } from "../traffic/expectedTotals";
import { PROFILES, trafficOf, type ProfileName } from "../traffic/profiles";
import { profileFlags, readProfile } from "../cpuProfile";
import { runPipeline, type PipelineRun } from "./runPipeline";
import { readThreads, timeByStage, type ThreadTimes } from "./stages/flinkThreads";
import { stageTable } from "./stages/stageTable";
import { timeOfWorker } from "./stages/workerParts";

const benchOptions = {
  count: {
    type: "number",
    describe: "Number of events of each run, except of the run in which every event has a new user.",
    default: 1_000_000,
    check: wholeNumber(1, 100_000_000),
  },
  worstCount: {
    type: "number",
    describe: "Number of events of the run in which every event has a new user.",
    default: 200_000,
    check: wholeNumber(1, 100_000_000),
  },
  users: {
    type: "number",
    describe: "Number of users active at the same time.",
    default: 3000,
    check: wholeNumber(1, 10_000_000),
  },
  sessionWindows: {
    type: "enum",
    describe:
      "How sessions are windowed: state (in the ledger's state) or beam (Beam's session windows in front of it).",
    choices: ["state", "beam"],
    default: "state",
  },
  timeZone: {
    type: "string",
    describe: "Time zone of the days, as an IANA name such as Europe/Berlin.",
    default: "UTC",
    check: timeZoneProblem,
  },
  ...flinkOptions,
  parallelism: {
    type: "number",
    describe: "Number of workers, and of readers of the source.",
    default: 1,
    check: wholeNumber(1, 16),
  },
  cluster: {
    type: "boolean",
    describe:
      "Run Flink as a session cluster on this machine, with a TaskManager for each worker, instead of in one process.",
    default: false,
  },
  earlyMs: {
    type: "number",
    describe: "Interval of early firings of session windows, in ms.",
    default: 10_000,
    check: wholeNumber(100, 3_600_000),
  },
  sliceMs: {
    type: "number",
    describe: "Time between self-checkpoints of the source, in ms.",
    default: 1000,
    check: wholeNumber(10, 60_000),
  },
  limit: {
    type: "duration",
    describe: "A run whose numbers are not exact after this time fails.",
    default: 600_000,
  },
  stages: {
    type: "boolean",
    describe:
      "Print the CPU time of each stage of Flink and each part of the worker. This makes the run slower. Needs a JDK.",
    default: false,
  },
  only: {
    type: "enum",
    describe:
      "Run only one kind of traffic: realistic, worst (every event has a new user), hours or one-session. With anonymous, realistic " +
      "traffic without and with anonymous ids in turn, twice each.",
    choices: ["realistic", "anonymous", "worst", "hours", "one-session"],
    optional: true,
  },
} as const satisfies OptionSpecs;

type BenchOptions = Options<typeof benchOptions>;

/** Measures stages during a run. */
class StageMeter {
  readonly profileDirectory: string;
  private threadsBefore: ThreadTimes = new Map();
  private threadsAfter: ThreadTimes = new Map();

  constructor(directory: string) {
    this.profileDirectory = path.join(directory, "profile");
  }

  /** Parts of the options of a run. */
  hooks(): Pick<PipelineRun, "workerNodeArgs" | "onStarted" | "onExact"> {
    return {
      workerNodeArgs: profileFlags(this.profileDirectory),
      onStarted: async ({ jobServer }) => void (this.threadsBefore = await readThreads(jobServer.process.pid)),
      onExact: async ({ jobServer }) => void (this.threadsAfter = await readThreads(jobServer.process.pid)),
    };
  }

  /** Two tables, after the run. The worker's includes its start. */
  tables(events: number): string {
    const worker = [...timeOfWorker(readProfile(this.profileDirectory))]
      .map(([part, us]) => [part, us / 1000] as const)
      .sort(([, a], [, b]) => b - a);
    return [
      stageTable("Flink, by thread", timeByStage(this.threadsBefore, this.threadsAfter), events),
      stageTable("worker, by profile", worker, events),
    ].join("\n\n");
  }
}

async function measure(
  profile: ProfileName,
  run: number,
  options: BenchOptions,
  cleanup: Cleanup,
): Promise<RunFigures> {
  const count = profile === "new" ? options.worstCount : options.count;
  const traffic = trafficOf(profile, count, options.users, Date.now());
  const directory = path.join(cleanup.directory, `${profile}-${run}`);
  const stages = options.stages ? new StageMeter(directory) : undefined;
  console.log(`${PROFILES[profile].describe}: ${count} events`);
  const figures = await runPipeline(
    {
      name: profile,
      origin: { kind: "generated", traffic, parts: options.parallelism },
      events: count,
      expected: totalsText(expectedTotals(syntheticEvents(traffic), options.timeZone)),
      heap: options.heap,
      stateBackend: options.stateBackend,
      rocksdbMemory: options.rocksdbMemory,
      earlyMs: options.earlyMs,
      sourceCheckpointMs: options.sliceMs,
      limitMs: options.limit,
      sessionWindows: options.sessionWindows,
      timeZone: options.timeZone,
      parallelism: options.parallelism,
      cluster: options.cluster,
      onProgress: console.log,
      ...stages?.hooks(),
    },
    cleanup,
    directory,
  );
  for (const problem of figures.problems) console.log(`  problem: ${problem}`);
  if (stages) console.log(`\n${stages.tables(count)}\n`);
  return figures;
}

/** The runs, in their order. */
function profilesOf({ only }: BenchOptions): readonly ProfileName[] {
  switch (only) {
    case undefined:
      return ["realistic", "new"];
    case "anonymous":
      return ["realistic", "anonymous", "realistic", "anonymous"];
    case "worst":
      return ["new"];
    case "realistic":
    case "hours":
    case "one-session":
      return [only];
  }
}

runBenchmark("bench-pipeline", async (cleanup) => {
  const flags = yargs(process.argv.slice(2))
    .scriptName("npm run bench:pipeline --")
    .usage("$0 [options]\n\nMeasures the pipeline on Flink, and checks that its numbers are exact.")
    .options(yargsOptions(benchOptions))
    .example("$0 --count 200000", "a shorter run")
    .example("$0 --only realistic --count 300000 --stages", "CPU time of each stage")
    .example("$0 --only realistic --parallelism 2 --cluster", "two TaskManagers on this machine")
    .example("$0 --only anonymous --count 300000", "the cost of anonymous ids on a third of the events")
    .example("$0 --only hours --count 100000", "sessions that last for hours")
    .strict()
    .version(false)
    .parseSync();
  const options = readOptions(benchOptions, flags);
  console.log(`${machine()}, ${Math.round(totalmem() / 2 ** 30)} GiB`);
  const runs: RunFigures[] = [];
  for (const [run, profile] of profilesOf(options).entries()) runs.push(await measure(profile, run, options, cleanup));
  console.log(`\n${runTable(runs)}`);
  if (runs.some(({ isExact }) => !isExact)) throw new UserError("The numbers of a run were not exact");
});
