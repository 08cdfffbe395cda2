import type { AnalyticsEvent } from "@eventlogger/events/event";
import { eventOfDeadLetter } from "./eventOfDeadLetter";
import type { StoredDeadLetter } from "./storedDeadLetter";

/** What happened to a dead letter, or would happen to it. */
export type Outcome =
  /** Its event was published, or would be. */
  | { readonly kind: "sent"; readonly eventId: string }
  /** The table `events` has a row of its event, or another dead letter of the same event was sent. */
  | { readonly kind: "stored"; readonly eventId: string }
  | { readonly kind: "not_sent"; readonly reason: string };

/** A message that Pub/Sub refuses, while it may accept others. */
export class MessageRefusedError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "MessageRefusedError";
  }
}

export interface ResendTarget {
  /** Which of the events have a row in the table `events`. */
  storedIds(events: readonly AnalyticsEvent[]): Promise<ReadonlySet<string>>;
  /**
   * Publishes an event; undefined: nothing is published.
   * @throws MessageRefusedError when the next one may succeed; any other error ends the command
   */
  readonly publish: ((event: AnalyticsEvent) => Promise<void>) | undefined;
  /** Called with each event that has a row; by default nothing happens to it. */
  readonly publishStored?: (event: AnalyticsEvent) => Promise<void>;
}

/** Dead letters that are handled together. */
const CHUNK_LETTERS = 500;
/** The same as the number of characters of their payloads. */
const CHUNK_LENGTH = 8_000_000;

async function* chunksOf(letters: AsyncIterable<StoredDeadLetter>): AsyncGenerator<StoredDeadLetter[]> {
  let chunk: StoredDeadLetter[] = [];
  let length = 0;
  for await (const letter of letters) {
    chunk.push(letter);
    length += letter.payload.length;
    if (chunk.length < CHUNK_LETTERS && length < CHUNK_LENGTH) continue;
    yield chunk;
    chunk = [];
    length = 0;
  }
  if (chunk.length) yield chunk;
}

/**
 * Publishes the events of dead letters again, with the event_id that they had, unless they are stored already. A dead letter
 * that has no event never stops the others.
 * @param onOutcome called for each dead letter, in their order
 * @throws Error of the target. Everything before the failed chunk was handled.
 */
export async function resend(
  letters: AsyncIterable<StoredDeadLetter>,
  target: ResendTarget,
  onOutcome: (letter: StoredDeadLetter, outcome: Outcome) => void,
): Promise<void> {
  const sentIds = new Set<string>();
  for await (const chunk of chunksOf(letters)) {
    const recovered = chunk.map((letter) => ({ letter, result: eventOfDeadLetter(letter) }));
    const events = recovered.flatMap(({ result }) => (result.ok ? [result.event] : []));
    const stored = await target.storedIds(events);
    const outcomes = recovered.map(async ({ letter, result }): Promise<[StoredDeadLetter, Outcome]> => {
      if (!result.ok) return [letter, { kind: "not_sent", reason: result.reason }];
      const { event_id: eventId } = result.event;
      if (sentIds.has(eventId)) return [letter, { kind: "stored", eventId }];
      sentIds.add(eventId);
      if (stored.has(eventId)) {
        await target.publishStored?.(result.event);
        return [letter, { kind: "stored", eventId }];
      }
      try {
        await target.publish?.(result.event);
        return [letter, { kind: "sent", eventId }];
      } catch (error) {
        if (!(error instanceof MessageRefusedError)) throw error;
        return [letter, { kind: "not_sent", reason: `Pub/Sub refused the message: ${error.message}` }];
      }
    });
    const settled = await Promise.allSettled(outcomes);
    for (const one of settled) if (one.status === "fulfilled") onOutcome(...one.value);
    const failure = settled.find((one) => one.status === "rejected");
    if (failure) throw failure.reason;
  }
}
