/** `npm run bench:replay`: the speed of a replay against that of live events, and a replay of many rows from end to end. */
import yargs from "yargs";
import { readOptions, wholeNumber, yargsOptions, type OptionSpecs } from "@eventlogger/options/options";
import { flinkOptions } from "../flinkOptions";
import { machine } from "../report";
import { runBenchmark } from "../runBenchmark";
import { compareChains } from "./compareChains";
import { replayFromTable } from "./replayFromTable";

const benchOptions = {
  count: {
    type: "number",
    describe: "Number of events of each run of the comparison.",
    default: 200_000,
    check: wholeNumber(1, 100_000_000),
  },
  rounds: {
    type: "number",
    describe: "Number of runs of each chain, in turn; 0 leaves the comparison out.",
    default: 1,
    check: wholeNumber(0, 100),
  },
  rows: {
    type: "number",
    describe: "Number of rows that are replayed from the table by the command, with emulators; 0 leaves it out.",
    default: 1_000_000,
    check: wholeNumber(0, 100_000_000),
  },
  users: {
    type: "number",
    describe: "Number of users active at the same time.",
    default: 3000,
    check: wholeNumber(1, 10_000_000),
  },
  ...flinkOptions,
} as const satisfies OptionSpecs;

runBenchmark("bench-replay", async (cleanup) => {
  const flags = yargs(process.argv.slice(2))
    .scriptName("npm run bench:replay --")
    .usage("$0 [options]\n\nMeasures how fast stored events are counted again.")
    .options(yargsOptions(benchOptions))
    .example("$0 --rounds 3 --rows 0", "only the comparison with live events")
    .example("$0 --rounds 0 --rows 1000000", "only the replay of a table")
    .strict()
    .version(false)
    .parseSync();
  const options = readOptions(benchOptions, flags);
  console.log(machine());
  if (options.rounds > 0) await compareChains(options, cleanup);
  if (options.rows > 0) await replayFromTable(options, cleanup);
});
