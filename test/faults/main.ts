/**
 * `npm run test:faults`: the long fault tests, with the figures of each fault. With arguments, only the files whose names
 * contain one of them: `npm run test:faults -- pubsub`. Takes about 40 minutes.
 */
import { readdirSync } from "node:fs";
import path from "node:path";
import { machine } from "@eventlogger/bench/report";
import { Progress } from "@eventlogger/options/progress";
import { runMain, UserError } from "@eventlogger/process/main";
import { formatDuration } from "@eventlogger/process/wait";
import { runTests } from "../runner/runTests";
import { setUp } from "../runner/setUp";
import { failures, summaryLine, type TestSummary } from "../runner/summary";

const SUFFIX = ".faults.js";

interface FileReport {
  readonly name: string;
  readonly summary: TestSummary;
  readonly ms: number;
}

function reportLine({ name, summary, ms }: FileReport): string {
  return `${name.padEnd(10)} ${formatDuration(Math.round(ms / 1000) * 1000).padStart(7)}  ${summaryLine(summary)}`;
}

async function main(filters: readonly string[]): Promise<number> {
  const names = readdirSync(__dirname)
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)));
  if (names.length === 0) throw new UserError(`No file of test/faults matches ${filters.join(", ")}`);
  const progress = new Progress();
  const steps = [
    "nginx",
    "emulator programs",
    "BigQuery emulator",
    "Flink job server",
    "Segment's Java library",
  ] as const;
  await setUp(new Set(steps), progress);
  progress.print(machine());
  const reports: FileReport[] = [];
  for (const [i, name] of names.entries()) {
    progress.print(`\n== ${i + 1} of ${names.length}: ${name}`);
    const startedAt = performance.now();
    const summary = await runTests({ files: [path.join(__dirname, name + SUFFIX)] });
    reports.push({ name, summary, ms: performance.now() - startedAt });
  }
  const total = reports.reduce<TestSummary>((all, { summary }) => ({ ...all, ...summary }), {});
  progress.print("\n== report");
  for (const report of reports) progress.print(reportLine(report));
  progress.print(`\n${summaryLine(total)}`);
  return failures(total) === 0 ? 0 : 1;
}

runMain(() => main(process.argv.slice(2)));
