import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "./eventSender";

export interface Counts {
  accepted: number;
  refused: number;
  failed: number;
}

export interface SendAllOptions {
  /** Events per second; 0 for as fast as they are accepted. */
  readonly rate: number;
  /** Maximum number of events in flight. */
  readonly concurrency: number;
  /** When aborted, no further event is sent. */
  readonly signal: AbortSignal;
  readonly onOutcome?: (outcome: Outcome, counts: Readonly<Counts>) => void;
}

/**
 * Sends events concurrently at a fixed rate. Resolves when every event has an outcome; after an abort, when every event in
 * flight has one.
 * @param send must not reject
 */
export async function sendAll<E>(
  events: Iterator<E>,
  send: (event: E) => Promise<Outcome>,
  { rate, concurrency, signal, onOutcome }: SendAllOptions,
): Promise<Counts> {
  const counts: Counts = { accepted: 0, refused: 0, failed: 0 };
  const startedAt = Date.now();
  let started = 0;
  // Every lane may listen to the signal at once, which is not a leak.
  setMaxListeners(0, signal);

  async function lane(): Promise<void> {
    while (!signal.aborted) {
      // Scheduled by the count since the start, not by a pause after each event, so slow events do not lower the rate.
      const due = rate > 0 ? startedAt + (started * 1000) / rate : 0;
      started++;
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
