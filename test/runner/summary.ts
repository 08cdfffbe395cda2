import { relative } from "node:path";

/** The outcome of the tests of one file. */
export interface FileSummary {
  readonly passed: number;
  /** Also hooks. */
  readonly failed: number;
  readonly skipped: number;
  /** Time of the tests and their hooks, ms. */
  readonly timeMs: number;
}

/** The outcome of test files, by the compiled file. */
export type TestSummary = Readonly<Record<string, FileSummary>>;

const sum = (summary: TestSummary, key: "passed" | "failed" | "skipped"): number =>
  Object.values(summary).reduce((total, file) => total + file[key], 0);

export function failures(summary: TestSummary): number {
  return sum(summary, "failed");
}

export function failedFiles(summary: TestSummary): string[] {
  return Object.keys(summary).filter((file) => (summary[file]?.failed ?? 0) > 0);
}

/** `412 passed, 0 failed, 3 skipped`. */
export function summaryLine(summary: TestSummary): string {
  const skipped = sum(summary, "skipped");
  return `${sum(summary, "passed")} passed, ${failures(summary)} failed${skipped ? `, ${skipped} skipped` : ""}`;
}

/** The test files that took longest, one a line: `  12.3 s  packages/beam/flink/flink.component.test.ts`. */
export function slowestFiles(root: string, summary: TestSummary, count = 10): string[] {
  return Object.entries(summary)
    .sort(([, a], [, b]) => b.timeMs - a.timeMs)
    .slice(0, count)
    .map(([file, { timeMs }]) => `${(timeMs / 1000).toFixed(1).padStart(6)} s  ${sourceOf(root, file)}`);
}

/** The source of a compiled test, relative to the root. */
export function sourceOf(root: string, file: string): string {
  return relative(root, file).replace("/dist/", "/").replace(/js$/, "ts");
}
