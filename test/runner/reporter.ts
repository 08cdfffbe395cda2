import { writeFileSync } from "node:fs";
import { reporters, type Hook, type MochaOptions, type Runner, type Test } from "mocha";
import type { TestSummary } from "./summary";

/** Mocha's spec reporter, which also writes a {@link TestSummary} to the file of the reporter option `summaryFile`. */
class SummaryReporter extends reporters.Spec {
  constructor(runner: Runner, options: MochaOptions) {
    super(runner, options);
    const { summaryFile } = options.reporterOptions as { readonly summaryFile: string };
    const fileTimesMs: Record<string, number> = {};
    const addTime = ({ file, duration = 0 }: Test | Hook): void => {
      if (file !== undefined) fileTimesMs[file] = (fileTimesMs[file] ?? 0) + duration;
    };
    runner.on("test end", addTime);
    runner.on("hook end", addTime);
    runner.once("end", () => {
      const { passes: passed, failures: failed, pending: skipped } = this.stats;
      const summary: TestSummary = { passed, failed, skipped, fileTimesMs };
      writeFileSync(summaryFile, JSON.stringify(summary));
    });
  }
}

// Mocha loads a reporter by its file, and takes the file's export as the class.
export = SummaryReporter;
