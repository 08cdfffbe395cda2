import { ABSENT_FIELDS } from "@eventlogger/events/absentFields";
import { createDeadLetter } from "@eventlogger/events/deadLetter";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { decodeReplay, REPLAY_ATTRIBUTE, type ReplayEvent } from "@eventlogger/events/replayMessage";
import type { PubSubMessage } from "../io/pubsub/message";
import type { ParseResult } from "./parseResult";

/** The ledgers do not use the fields that a replayed event lacks. */
function eventOf(event: ReplayEvent): AnalyticsEvent {
  return { type: "event", ...ABSENT_FIELDS, ...event };
}

const GENERATION = /^\d+$/;

/**
 * Parses a message of the replay subscription: its events, and a dead letter for each broken line. Never throws.
 * @param generation the value of its attribute `replay`
 * @param bypassesWindows whether there are session windows of Beam, which replayed events bypass like stale ones
 * @param now epoch ms
 */
export function* parseReplay(
  { data, messageId }: PubSubMessage,
  generation: string,
  bypassesWindows: boolean,
  now: number,
): Generator<ParseResult> {
  const failed = (errorMessage: string, payload: Uint8Array, source: string): ParseResult => ({
    kind: "deadLetter",
    deadLetter: createDeadLetter({ errorType: "invalid_replay", errorMessage, payload, source, failedAt: now }),
  });
  const source = `replay message ${messageId}`;
  if (!GENERATION.test(generation)) {
    const problem = `The message is on the replay subscription, but its attribute ${REPLAY_ATTRIBUTE} is not a generation`;
    yield failed(problem, data, source);
    return;
  }
  for (const line of decodeReplay(data)) {
    if (line.ok) yield { kind: "event", event: eventOf(line.event), isStale: bypassesWindows, isReplay: true };
    else yield failed(`The line ${line.message}`, line.payload, `${source}, line ${line.line}`);
  }
}
