import { constants } from "node:os";
import { killRunningChildren } from "./childProcess";

export interface StopSignalOptions {
  /** Called at the first signal. */
  readonly onStop?: (signal: NodeJS.Signals) => void;
  /**
   * Called at the second signal; the process exits when the promise settles, or at a third signal.
   * Default: {@link killRunningChildren}.
   */
  readonly beforeExit?: (signal: NodeJS.Signals) => void | Promise<void>;
  /** Exit code after the second signal. Default: 128 plus the number of that signal (130 for SIGINT, 143 for SIGTERM). */
  readonly exitCode?: number;
  /** @default ["SIGINT", "SIGTERM"] */
  readonly signals?: readonly NodeJS.Signals[];
}

export interface StopSignals {
  /** Aborted at the first signal; its reason is a {@link StopRequestedError}. */
  readonly signal: AbortSignal;
  /** Resolves at the first signal, with its name; never rejects. */
  readonly received: Promise<NodeJS.Signals>;
  /** Restores the default action of the signals. */
  dispose(): void;
}

/** A signal has asked this process to stop. */
export class StopRequestedError extends Error {
  constructor(readonly signalName: NodeJS.Signals) {
    super(`Stopped by ${signalName}`);
    this.name = "StopRequestedError";
  }
}

/** Exit code of a process that a signal stopped, by the convention of shells: 128 plus the number of the signal. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/**
 * Handles the signals that ask this process to stop: the first one asks for a graceful stop, the second one exits at once.
 * An exit code other than 0 tells callers that the second one cut the stop short.
 */
export function onStopSignals(options: StopSignalOptions = {}): StopSignals {
  const { onStop, beforeExit = killRunningChildren, signals = ["SIGINT", "SIGTERM"] } = options;
  const controller = new AbortController();
  let resolveReceived!: (signal: NodeJS.Signals) => void;
  const received = new Promise<NodeJS.Signals>((resolve) => (resolveReceived = resolve));
  let count = 0;
  const exitAtOnce = async (signal: NodeJS.Signals): Promise<void> => {
    try {
      if (count === 2) await beforeExit(signal);
    } finally {
      process.exit(options.exitCode ?? signalExitCode(signal));
    }
  };
  const listener = (signal: NodeJS.Signals): void => {
    if (++count > 1) {
      void exitAtOnce(signal);
      return;
    }
    onStop?.(signal);
    controller.abort(new StopRequestedError(signal));
    resolveReceived(signal);
  };
  for (const signal of signals) process.on(signal, listener);
  return {
    signal: controller.signal,
    received,
    dispose: () => {
      for (const signal of signals) process.off(signal, listener);
    },
  };
}
