/**
 * `npm run bench:peers`: compares the pipeline with the same pipeline in Beam Java and Beam Python. All read the same file of
 * messages and take turns, because the speed of a machine varies over time.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { totalmem } from "node:os";
import path from "node:path";
import yargs from "yargs";
import { readOptions, wholeNumber, yargsOptions, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { UserError } from "@eventlogger/process/main";
import { tryCommand } from "@eventlogger/process/tryCommand";
import { syntheticEvents } from "@eventlogger/traffic/load/syntheticMessages";
import { medianFigures, medianTable, runTable, type RunFigures } from "../figures";
import { machine } from "../report";
import { runBenchmark, type Cleanup } from "../runBenchmark";
import { expectedTotals, totalsText } from "../traffic/expectedTotals";
import { writeMessageFile } from "../traffic/messageFile";
import { PROFILES, trafficOf, type ProfileName } from "../traffic/profiles";
import { BEAM_VERSIONS, CONTENDER_NAMES, type Conditions, type Contender, type Traffic } from "./contender";
import { javaContender } from "./java";
import { productContender } from "./product";
import { pythonContender } from "./python";
import { compareRuns } from "./ratios";

const CONTENDERS: readonly Contender[] = [
  productContender("product", "state"),
  javaContender("java", false),
  productContender("product-rocksdb", "state", "rocksdb"),
  productContender("product-windows", "beam"),
  javaContender("java-windows", true),
  pythonContender("python", false),
  pythonContender("python-windows", true),
];

const oneOf =
  (choices: readonly string[]) =>
  (list: readonly string[]): string | undefined => {
    const unknown = list.filter((name) => !choices.includes(name));
    if (unknown.length) return `must contain only ${choices.join(", ")}, not ${unknown.join(", ")}`;
    return list.length ? undefined : `must name at least one of ${choices.join(", ")}`;
  };

const PROFILE_CHOICES = ["realistic", "new"] as const satisfies readonly ProfileName[];

const benchOptions = {
  profile: {
    type: "list",
    describe: `Kinds of traffic, in this order: realistic (sessions of 8 events), new (every event has a new user and session).`,
    default: PROFILE_CHOICES,
    check: oneOf(PROFILE_CHOICES),
  },
  events: {
    type: "number",
    describe: "Number of events of each run.",
    default: 300_000,
    check: wholeNumber(100, 100_000_000),
  },
  pythonEvents: {
    type: "number",
    describe:
      "Number of events of the runs of Beam Python, which is slow. Default: a tenth of --events, at least 10,000.",
    optional: true,
    check: wholeNumber(100, 100_000_000),
  },
  rounds: { type: "number", describe: "Number of turns of each program.", default: 2, check: wholeNumber(1, 100) },
  only: {
    type: "list",
    describe: `Programs to run, of ${CONTENDER_NAMES.join(", ")}.`,
    default: CONTENDER_NAMES,
    check: oneOf(CONTENDER_NAMES),
  },
  users: {
    type: "number",
    describe: "Number of users active at the same time in realistic traffic.",
    default: 3000,
    check: wholeNumber(1, 10_000_000),
  },
  heap: { type: "string", describe: "Heap limit of each JVM.", default: "3g" },
  earlyMs: {
    type: "number",
    describe: "Interval of early firings of session windows, in ms.",
    default: 10_000,
    check: wholeNumber(100, 3_600_000),
  },
  limit: {
    type: "duration",
    describe: "A run whose numbers are not exact after this time fails.",
    default: 300_000,
  },
  beamVersion: {
    type: "enum",
    describe: "Version of Beam for the Java program and for the job server of the Python program: 2.49 or 2.70.",
    choices: BEAM_VERSIONS,
    default: "2.49",
  },
  json: { type: "string", describe: "File for all figures, as JSON.", optional: true },
} as const satisfies OptionSpecs;

type BenchOptions = Options<typeof benchOptions>;

function prepareTraffic(
  profile: ProfileName,
  events: number,
  users: number,
  directory: string,
): Traffic & { hash: string } {
  const traffic = trafficOf(profile, events, users, Date.now());
  const messages = path.join(directory, `${profile}-${events}.messages`);
  const expectedFile = path.join(directory, `${profile}-${events}.expected`);
  const expected = totalsText(expectedTotals(syntheticEvents(traffic)));
  writeFileSync(expectedFile, `${expected}\n`);
  return { messages, events, expected, expectedFile, hash: writeMessageFile(messages, traffic) };
}

interface ProfileResult {
  readonly profile: ProfileName;
  /** SHA-256 of each file of messages, by the number of events. */
  readonly hashes: Readonly<Record<number, string>>;
  readonly runs: readonly RunFigures[];
}

async function measureProfile(
  profile: ProfileName,
  contenders: readonly Contender[],
  options: BenchOptions,
  conditions: Conditions,
  cleanup: Cleanup,
): Promise<ProfileResult> {
  const pythonEvents = options.pythonEvents ?? Math.max(10_000, Math.round(options.events / 10));
  const eventsOf = ({ name }: Contender): number => (name.startsWith("python") ? pythonEvents : options.events);
  const traffics = new Map<number, Traffic>();
  const hashes: Record<number, string> = {};
  for (const events of new Set(contenders.map(eventsOf))) {
    const traffic = prepareTraffic(profile, events, options.users, cleanup.directory);
    traffics.set(events, traffic);
    hashes[events] = traffic.hash;
    console.log(`${events} events, SHA-256 of the messages ${traffic.hash}`);
  }
  const runs: RunFigures[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    for (const contender of contenders) {
      const directory = path.join(cleanup.directory, `${profile}-${contender.name}-${round}`);
      mkdirSync(directory);
      console.log(`round ${round}: ${contender.name}`);
      const traffic = traffics.get(eventsOf(contender)) as Traffic;
      const figures = await contender.run(traffic, conditions, cleanup, directory);
      rmSync(directory, { recursive: true, force: true });
      runs.push(figures);
      console.log(runTable([figures]).replace(/^/gm, "  "));
      for (const problem of figures.problems) console.log(`  problem: ${problem}`);
    }
  }
  for (const { messages } of traffics.values()) rmSync(messages);
  return { profile, hashes, runs };
}

function printResult({ profile, runs }: ProfileResult): void {
  console.log(`\n== ${PROFILES[profile].describe}: all runs\n${runTable(runs)}`);
  console.log(`\n== ${PROFILES[profile].describe}: medians of the exact runs\n${medianTable(runs)}`);
  const lines = compareRuns(runs);
  if (lines.length) console.log(`\n${lines.join("\n")}`);
}

function writeJson(file: string, options: BenchOptions, java: string, results: readonly ProfileResult[]): void {
  const document = {
    machine: machine(),
    memoryBytes: totalmem(),
    java,
    at: new Date().toISOString(),
    options,
    results: results.map(({ profile, hashes, runs }) => ({
      profile,
      hashes,
      runs,
      medians: CONTENDER_NAMES.flatMap((name) => medianFigures(runs.filter((run) => run.name === name)) ?? []),
      comparison: compareRuns(runs),
    })),
  };
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
}

async function compare(options: BenchOptions, cleanup: Cleanup): Promise<void> {
  const java = (await tryCommand("java", ["-version"])).output.split("\n")[0] ?? "";
  console.log(`${machine()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${java}`);
  const contenders = CONTENDERS.filter(({ name }) => options.only.includes(name));
  const conditions: Conditions = {
    heap: options.heap,
    limitMs: options.limit,
    earlyMs: options.earlyMs,
    beamVersion: options.beamVersion,
    onProgress: (line) => console.log(`  ${line.trim()}`),
  };
  for (const contender of contenders) {
    console.log(`${contender.name}: ${contender.describe}`);
    await contender.prepare(conditions);
  }
  const results: ProfileResult[] = [];
  for (const profile of PROFILE_CHOICES.filter((name) => options.profile.includes(name))) {
    console.log(`\n== ${PROFILES[profile].describe}`);
    results.push(await measureProfile(profile, contenders, options, conditions, cleanup));
    if (options.json !== undefined) writeJson(options.json, options, java, results);
  }
  for (const result of results) printResult(result);
  const wrong = results.flatMap(({ runs }) => runs).filter(({ isExact }) => !isExact);
  if (wrong.length)
    throw new UserError(`\n${wrong.length} runs were not exact: ${wrong.map(({ name }) => name).join(", ")}`);
}

runBenchmark("bench-peers", async (cleanup) => {
  const flags = yargs(process.argv.slice(2))
    .scriptName("npm run bench:peers --")
    .usage(
      "$0 [options]\n\nRuns the pipeline, Beam Java and Beam Python on the same messages in turns, checks that the numbers " +
        "of each are exact, and prints medians and ratios.",
    )
    .options(yargsOptions(benchOptions))
    .example("$0 --rounds 3 --json figures.json", "more turns, figures also to a file")
    .example("$0 --only product,java --profile realistic --events 1000000", "two programs without session windows")
    .example("$0 --only product,python --python-events 50000", "against Beam Python")
    .example("$0 --beam-version 2.70 --only java", "Beam Java 2.70 with Flink 1.19")
    .strict()
    .version(false)
    .parseSync();
  await compare(readOptions(benchOptions, flags), cleanup);
});
