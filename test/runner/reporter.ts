import { writeFileSync } from "node:fs";
import { reporters, type Hook, type MochaOptions, type Runner, type Test } from "mocha";
import type { FileSummary, TestSummary } from "./summary";

const NOTHING: FileSummary = { passed: 0, failed: 0, skipped: 0, timeMs: 0 };

/** Mocha's spec reporter, which also writes a {@link TestSummary} to the file of the reporter option `summaryFile`. */
class SummaryReporter extends reporters.Spec {
  constructor(runner: Runner, options: MochaOptions) {
    super(runner, options);
    const { summaryFile } = options.reporterOptions as { readonly summaryFile: string };
    const files: Record<string, FileSummary> = {};
    const add = ({ file = "" }: Test | Hook, key: keyof FileSummary, n: number): void => {
      const before = files[file] ?? NOTHING;
      files[file] = { ...before, [key]: before[key] + n };
    };
    const addTime = (runnable: Test | Hook): void => add(runnable, "timeMs", runnable.duration ?? 0);
    runner.on("test end", addTime);
    runner.on("hook end", addTime);
    runner.on("pass", (test) => add(test, "passed", 1));
    runner.on("fail", (test) => add(test, "failed", 1));
    runner.on("pending", (test) => add(test, "skipped", 1));
    runner.once("end", () => writeFileSync(summaryFile, JSON.stringify(files satisfies TestSummary)));
  }
}

// Mocha loads a reporter by its file, and takes the file's export as the class.
export = SummaryReporter;
