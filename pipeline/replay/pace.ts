import { setTimeout as sleep } from "node:timers/promises";

/** Spaces events evenly at a rate. */
export class Pace {
  private startedAt: number | undefined;
  private passed = 0;

  /** @param rate events per second; 0: without limit @param signal ends a wait; it then rejects with its reason */
  constructor(
    private readonly rate: number,
    private readonly signal?: AbortSignal,
  ) {}

  /** Resolves when the events that passed before are due, and lets `events` pass. */
  async pass(events: number): Promise<void> {
    const { rate, signal } = this;
    signal?.throwIfAborted();
    const now = performance.now();
    this.startedAt ??= now;
    const waitMs = rate > 0 ? this.startedAt + (this.passed / rate) * 1000 - now : 0;
    this.passed += events;
    if (waitMs <= 0) return;
    await sleep(waitMs, undefined, signal && { signal }).catch(() => undefined);
    signal?.throwIfAborted();
  }
}
