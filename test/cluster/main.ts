/**
 * `npm run test:cluster`: the long tests on a session cluster of Flink, whose parts are killed under load. Takes about ten
 * minutes.
 */
import { readdirSync } from "node:fs";
import path from "node:path";
import { machine } from "@eventlogger/bench/report";
import { Progress } from "@eventlogger/options/progress";
import { runMain, UserError } from "@eventlogger/process/main";
import { runTests } from "../runner/runTests";
import { setUp } from "../runner/setUp";
import { failures, summaryLine } from "../runner/summary";

const SUFFIX = ".cluster.js";

async function main(filters: readonly string[]): Promise<number> {
  const files = readdirSync(__dirname)
    .filter((name) => name.endsWith(SUFFIX))
    .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)))
    .map((name) => path.join(__dirname, name));
  if (files.length === 0) throw new UserError(`No file of test/cluster matches ${filters.join(", ")}`);
  const progress = new Progress();
  await setUp(new Set(["nginx", "emulator programs", "BigQuery emulator", "Flink job server"]), progress);
  progress.print(machine());
  const summary = await runTests({ files });
  progress.print(`\n${summaryLine(summary)}`);
  return failures(summary) === 0 ? 0 : 1;
}

runMain(() => main(process.argv.slice(2)));
