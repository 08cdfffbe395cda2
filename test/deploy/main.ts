/**
 * `npm run test:deploy`: plans the Terraform module with the schemas of Google's provider, and checks the gcloud commands of the pages.
 * It builds what is missing the first time.
 */
import { readdirSync } from "node:fs";
import path from "node:path";
import { Progress } from "@eventlogger/options/progress";
import { runMain, UserError } from "@eventlogger/process/main";
import { runTests } from "../runner/runTests";
import { failures, summaryLine } from "../runner/summary";
import { ensureProvider, findTerraform } from "./testing/plan";

const SUFFIX = ".plan.js";

async function main(filters: readonly string[]): Promise<number> {
  const files = readdirSync(__dirname)
    .filter((name) => name.endsWith(SUFFIX))
    .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)))
    .map((name) => path.join(__dirname, name));
  if (files.length === 0) throw new UserError(`No file of test/deploy matches ${filters.join(", ")}`);
  const progress = new Progress();
  progress.print(`planning with ${await findTerraform()}`);
  await progress.step("stand-in of Google's provider", (onProgress) => ensureProvider(onProgress));
  const summary = await runTests({ files });
  progress.print(`\n${summaryLine(summary)}`);
  return failures(summary) === 0 ? 0 : 1;
}

runMain(() => main(process.argv.slice(2)));
