import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "./eventSender";

export interface Counts {
  accepted: number;
  refused: number;
  failed: number;
}

export interface SendAllOptions {
  /** Events a second; 0 = as fast as they are taken. */
  readonly rate: number;
  /** Events on the way at a time. */
  readonly concurrency: number;
  /** When aborted, no further event is begun. */
  readonly signal: AbortSignal;
  readonly onOutcome?: (outcome: Outcome, counts: Readonly<Counts>) => void;
}

/**
 * Sends events at a rate, several at a time. Ends when all have an outcome, or, once stopped, when those under way do.
 * @param send never rejects.
 */
export async function sendAll<E>(
  events: Iterator<E>,
  send: (event: E) => Promise<Outcome>,
  { rate, concurrency, signal, onOutcome }: SendAllOptions,
): Promise<Counts> {
  const counts: Counts = { accepted: 0, refused: 0, failed: 0 };
  const startedAt = Date.now();
  let begun = 0;
  // Each lane may wait on it, beside others: that is no leak.
  setMaxListeners(0, signal);

  async function lane(): Promise<void> {
    while (!signal.aborted) {
      // By the count since the start, not by a pause after each: so the rate is kept though single events take longer.
      const due = rate > 0 ? startedAt + (begun * 1000) / rate : 0;
      begun++;
      const early = due - Date.now();
      if (early > 0) await sleep(early, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const next = events.next();
      if (next.done) return;
      const outcome = await send(next.value);
      counts[outcome.kind]++;
      onOutcome?.(outcome, counts);
    }
  }

  await Promise.all(Array.from({ length: concurrency }, lane));
  return counts;
}
