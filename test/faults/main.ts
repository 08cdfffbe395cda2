/**
 * `npm run test:faults`: what is done to the ingest tier at length, with the figures of each fault. With arguments, only the
 * files whose names contain one of them: `npm run test:faults -- pubsub`. Takes about ten minutes.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { machine } from "@eventlogger/bench/report";
import { ensureNginx } from "../setup/installNginx";

const MOCHA = join(repositoryRoot, "node_modules", "mocha", "bin", "mocha.js");
const REPORTER = join(repositoryRoot, "test", "dist", "reporter.js");
const SUFFIX = ".faults.js";

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function main(filters: readonly string[]): boolean {
  const files = readdirSync(__dirname)
    .filter((name) => name.endsWith(SUFFIX))
    .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)))
    .map((name) => join(__dirname, name));
  if (files.length === 0) throw new Error(`No file of test/faults matches ${filters.join(", ")}`);
  ensureNginx(say);
  say(machine());
  const args = [MOCHA, "--reporter", REPORTER, ...files];
  return spawnSync(process.execPath, args, { cwd: repositoryRoot, stdio: "inherit" }).status === 0;
}

try {
  process.exitCode = main(process.argv.slice(2)) ? 0 : 1;
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
