import { setTimeout as sleep } from "node:timers/promises";
import type { EventInput } from "@eventlogger/events/event";

/** The answer to a batch that was accepted. */
export interface BatchAnswer {
  readonly accepted: number;
  readonly rejected: readonly { readonly index: number }[];
}

export interface SendOptions {
  /** Events per second; 0 sends as fast as they are accepted. @default 0 */
  readonly rate?: number;
  /** Events of a request. @default 50 */
  readonly batchSize?: number;
  /** Requests at the same time. @default 8 */
  readonly concurrency?: number;
  /** Called with each answer and its events. */
  readonly onAnswer?: (answer: BatchAnswer, events: readonly EventInput[]) => void;
}

const RETRY_MS = 250;
const GIVE_UP_AFTER_MS = 180_000;
const REQUEST_TIMEOUT_MS = 40_000;

async function sendBatch(url: string, events: readonly EventInput[]): Promise<BatchAnswer> {
  const body = JSON.stringify(events);
  const giveUpAt = performance.now() + GIVE_UP_AFTER_MS;
  for (;;) {
    let problem: string;
    try {
      const response = await fetch(`${url}/events/`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      const text = await response.text();
      if (response.status === 200) return JSON.parse(text) as BatchAnswer;
      problem = `${response.status} ${text}`;
      if (response.status < 500 && response.status !== 429) throw new Error(`A batch was refused: ${problem}`);
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      problem = String(error);
    }
    if (performance.now() > giveUpAt) throw new Error(`A batch was not accepted in time: ${problem}`);
    await sleep(RETRY_MS);
  }
}

/**
 * Sends events in batches, and retries each batch unchanged until it is accepted, as clients do.
 * @throws Error when a batch is refused, or not accepted within 3 minutes
 */
export async function sendBatches(
  url: string,
  events: readonly EventInput[],
  { rate = 0, batchSize = 50, concurrency = 8, onAnswer }: SendOptions = {},
): Promise<void> {
  const startedAt = performance.now();
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < events.length) {
      const from = next;
      const batch = events.slice(from, from + batchSize);
      next += batch.length;
      if (rate > 0) await sleep(Math.max(0, startedAt + (from / rate) * 1000 - performance.now()));
      onAnswer?.(await sendBatch(url, batch), batch);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
}
