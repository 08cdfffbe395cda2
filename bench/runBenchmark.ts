import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "@eventlogger/options/options";

/** What a benchmark has started, stopped in the other order. */
export interface Cleanup {
  /** For logs and configurations; gone at the end. */
  readonly directory: string;
  /** Registers what is to be done at the end. */
  later(step: () => unknown): void;
}

/** Runs a benchmark; stops what it started also when it fails, and on Ctrl-C. Sets the exit code of the process. */
export async function runBenchmark(name: string, body: (cleanup: Cleanup) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), `${name}-`));
  const steps: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const step of steps.splice(0).reverse()) await step();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void stop().finally(() => process.exit(1)));
  }
  try {
    await body({ directory, later: (step) => steps.push(step) });
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : error);
    process.exitCode = error instanceof ConfigError ? 2 : 1;
  } finally {
    await stop();
  }
}
