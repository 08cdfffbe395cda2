import { reporters, type Runner, type MochaOptions } from "mocha";

/** Mocha's spec reporter, closed by one line that says it all: `412 passed, 0 failed, 3 skipped`. */
class SummaryReporter extends reporters.Spec {
  constructor(runner: Runner, options: MochaOptions) {
    super(runner, options);
    runner.once("end", () => {
      const { passes, failures, pending } = this.stats;
      // After everything else, also what other listeners of the end print.
      process.once("exit", () => {
        process.stdout.write(`\n${passes} passed, ${failures} failed${pending ? `, ${pending} skipped` : ""}\n`);
      });
    });
  }
}

export = SummaryReporter;
