import { setTimeout as sleep } from "node:timers/promises";

/** Handles signals: SIGTERM and SIGINT stop this process (a second one immediately, exit code 1), SIGHUP reloads. */
export class Signals {
  private readonly stop = new AbortController();
  private reload = false;
  private wake = new AbortController();

  constructor() {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (this.stopping) process.exit(1);
        this.stop.abort();
        this.wake.abort();
      });
    }
    process.on("SIGHUP", () => {
      this.reload = true;
      this.wake.abort();
    });
  }

  get stopping(): boolean {
    return this.stop.signal.aborted;
  }

  /** Waits for a time, or until a signal arrives. */
  async wait(ms: number): Promise<void> {
    if (this.stopping || this.reload) return;
    this.wake = new AbortController();
    await sleep(ms, undefined, { signal: this.wake.signal }).catch(() => {});
  }

  /** The result, or undefined when a stop comes first: a lookup with a dead DNS server takes long. */
  async unlessStopped<T>(result: Promise<T>): Promise<T | undefined> {
    const { signal } = this.stop;
    if (signal.aborted) return undefined;
    let onStop: (() => void) | undefined;
    const stopped = new Promise<undefined>((resolve) => {
      onStop = () => resolve(undefined);
      signal.addEventListener("abort", onStop);
    });
    try {
      return await Promise.race([result, stopped]);
    } finally {
      if (onStop) signal.removeEventListener("abort", onStop);
    }
  }

  /** @returns whether a reload was requested since the last call */
  takeReload(): boolean {
    const asked = this.reload;
    this.reload = false;
    return asked;
  }
}
