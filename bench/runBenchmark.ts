import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "@eventlogger/options/options";
import { killRunningChildren } from "@eventlogger/process/childProcess";
import { runMain, UserError } from "@eventlogger/process/main";
import { onStopSignals, signalExitCode, StopRequestedError } from "@eventlogger/process/stopSignals";
import { withTimeout } from "@eventlogger/process/wait";

/** Steps that undo what a benchmark has started. They run in reverse order. */
export interface Cleanup {
  /** For logs and configuration files; deleted at the end. */
  readonly directory: string;
  /** Aborted when a signal asks the benchmark to stop. */
  readonly signal: AbortSignal;
  /**
   * Adds a step. If the benchmark is stopping already, the step runs immediately.
   * @throws the reason of the signal, if the benchmark is stopping
   */
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

/** Time for a body whose processes were killed to end, ms. */
const END_OF_BODY_MS = 5000;

/** How often the parent process is checked, ms. */
const PARENT_INTERVAL_MS = 500;

/** The steps of a benchmark. After {@link stop}, a new step runs immediately. */
class CleanupSteps implements Cleanup {
  private readonly steps: (() => unknown)[] = [];
  private readonly started: Promise<unknown>[] = [];
  private isStopped = false;

  constructor(
    readonly directory: string,
    readonly signal: AbortSignal,
  ) {}

  later(step: () => unknown): void {
    if (!this.isStopped) {
      this.steps.push(step);
      return;
    }
    this.started.push((async () => step())());
    this.signal.throwIfAborted();
  }

  /** Runs all steps, last one first, also when one of them fails. */
  async stop(): Promise<void> {
    this.isStopped = true;
    const results: PromiseSettledResult<unknown>[] = [];
    for (const step of this.steps.splice(0).reverse()) {
      results.push(...(await Promise.allSettled([(async () => step())()])));
    }
    results.push(...(await Promise.allSettled(this.started.splice(0))));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }
}

/**
 * The main program of a benchmark. It stops everything that the benchmark has started: at the end, when it fails, on Ctrl-C
 * and SIGTERM, and when npm, which started it, has exited. Exit codes: 2 for wrong options, 130 or 143 after a signal.
 * @param name of the temporary directory
 */
export function runBenchmark(name: string, body: (cleanup: Cleanup) => Promise<void>): void {
  const directory = mkdtempSync(join(tmpdir(), `${name}-`));
  let reportStopped!: () => void;
  const stopped = new Promise<void>((resolve) => (reportStopped = resolve));
  // npm repeats the signal of a Ctrl-C, so the second one waits for the stop as well. The third one exits at once.
  const signals = onStopSignals({ beforeExit: () => stopped });
  const parent = process.ppid;
  if (process.env["npm_lifecycle_event"]) {
    setInterval(() => {
      if (process.ppid !== parent && !signals.signal.aborted) process.kill(process.pid, "SIGTERM");
    }, PARENT_INTERVAL_MS).unref();
  }
  process.once("exit", () => {
    killRunningChildren();
    rmSync(directory, { recursive: true, force: true });
  });
  const cleanup = new CleanupSteps(directory, signals.signal);

  const main = async (): Promise<void> => {
    const work = body(cleanup);
    work.catch(() => {}); // reported below
    const interrupted = signals.received.then(() => signals.signal.throwIfAborted());
    interrupted.catch(() => {});
    try {
      await Promise.race([work, interrupted]);
    } catch (error) {
      if (error instanceof StopRequestedError) {
        await cleanup.stop().catch(() => {});
        // What the body is starting now has no step yet.
        killRunningChildren();
        await withTimeout(work, END_OF_BODY_MS, "the end of the benchmark").catch(() => {});
        await cleanup.stop().catch(() => {});
        throw new UserError(error.message, { exitCode: signalExitCode(error.signalName) });
      }
      await cleanup.stop().catch(() => {});
      throw error;
    }
    await cleanup.stop();
  };
  runMain(withConfigErrors(() => main().finally(reportStopped)));
}
