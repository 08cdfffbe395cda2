import { relative } from "node:path";

/** The outcome of one run of mocha. */
export interface TestSummary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Time of the tests of each compiled file and their hooks, ms. */
  readonly fileTimesMs: Readonly<Record<string, number>>;
}

/** `412 passed, 0 failed, 3 skipped`. */
export function summaryLine({ passed, failed, skipped }: TestSummary): string {
  return `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`;
}

/** The sum of runs that share no file. */
export function addSummaries(summaries: readonly TestSummary[]): TestSummary {
  const total = (key: "passed" | "failed" | "skipped"): number =>
    summaries.reduce((sum, summary) => sum + summary[key], 0);
  const fileTimesMs = Object.fromEntries(summaries.flatMap((summary) => Object.entries(summary.fileTimesMs)));
  return { passed: total("passed"), failed: total("failed"), skipped: total("skipped"), fileTimesMs };
}

/** The test files that took longest, one a line: `  12.3 s  packages/beam/flink/flink.component.test.ts`. */
export function slowestFiles(root: string, { fileTimesMs }: TestSummary, count = 10): string[] {
  return Object.entries(fileTimesMs)
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([file, ms]) => {
      const source = relative(root, file).replace("/dist/", "/").replace(/js$/, "ts");
      return `${(ms / 1000).toFixed(1).padStart(6)} s  ${source}`;
    });
}
