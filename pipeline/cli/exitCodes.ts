import { killRunningChildren } from "@eventlogger/process/childProcess";

/** By convention 128 + SIGINT. */
export const INTERRUPTED = 130;

/** Ctrl-C, or SIGTERM, while a command works. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** From now on, signals do again what they always do. */
  end(): void;
}

/**
 * Takes the first signal as a wish to stop in order, and a second one as a wish to stop at once.
 * @param onFirst told once
 */
export function catchInterrupt(onFirst: () => void): Interrupt {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      killRunningChildren();
      process.exit(INTERRUPTED);
    }
    onFirst();
    controller.abort();
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    end: () => void process.off("SIGINT", onSignal).off("SIGTERM", onSignal),
  };
}
