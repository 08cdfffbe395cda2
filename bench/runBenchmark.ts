import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "@eventlogger/options/options";
import { runMain, UserError } from "@eventlogger/process/main";
import { onStopSignals } from "@eventlogger/process/stopSignals";

/** Steps that undo what a benchmark has started. They run in reverse order. */
export interface Cleanup {
  /** For logs and configuration files; deleted at the end. */
  readonly directory: string;
  /** Adds a step. */
  later(step: () => unknown): void;
}

/** Wrong options are errors of the user: exit code 2, no stack trace. */
export function withConfigErrors(main: () => Promise<void>): () => Promise<void> {
  return async () => {
    try {
      await main();
    } catch (error) {
      throw error instanceof ConfigError ? new UserError(error.message, { exitCode: 2 }) : error;
    }
  };
}

/**
 * The main program of a benchmark. It stops everything that the benchmark has started, also when it fails and on Ctrl-C.
 * @param name of the temporary directory
 */
export function runBenchmark(name: string, body: (cleanup: Cleanup) => Promise<void>): void {
  const directory = mkdtempSync(join(tmpdir(), `${name}-`));
  const steps: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const step of steps.splice(0).reverse()) await step();
  };
  const stopping = onStopSignals();
  const interrupted = new Promise<never>((_, reject) => {
    stopping.signal.addEventListener("abort", () => reject(stopping.signal.reason as Error), { once: true });
  });
  runMain(
    withConfigErrors(async () => {
      try {
        await Promise.race([body({ directory, later: (step) => steps.push(step) }), interrupted]);
      } finally {
        await stop();
      }
    }),
  );
}
