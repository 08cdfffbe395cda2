import "@eventlogger/beam/sdk";
import { parDo, split, withName, type PCollection } from "apache-beam";
import { count, pipe } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { createDeadLetter, type DeadLetter } from "@eventlogger/events/deadLetter";
import { decodeMessage } from "@eventlogger/events/eventMessage";
import type { PubSubMessage } from "../io/pubsub/message";
import type { ParsedEvent } from "./parsedEvent";
import type { ParseResult } from "./parseResult";
import { parseReplay } from "./parseReplay";

/**
 * Parses a message. Never throws.
 *
 * With Beam's session windows, an event is stale when it is older than `staleAfterMs` at the watermark of the message, or was so when it was published. The
 * clock of this machine decides only when the source does not know the watermark, as on Dataflow: the watermark is not
 * ahead of the current time there. An event that is taken for stale by mistake bypasses the windows and is counted all the
 * same; an event that is taken for fresh by mistake could be dropped. That is why the latest of the times counts.
 *
 * @param staleAfterMs ms. Undefined without windows: no event is stale
 * @param now epoch ms
 */
export function parseMessage(message: PubSubMessage, staleAfterMs: number | undefined, now: number): ParseResult {
  const { data, messageId, publishTime, watermark = now } = message;
  const decoded = decodeMessage(data, { messageId, publishTime });
  if (decoded.ok) {
    const { event, propertiesJson, hasUnknownFields } = decoded;
    if (hasUnknownFields) count("eventsWithUnknownFields");
    const isStale = staleAfterMs !== undefined && event.event_time < Math.max(watermark, publishTime) - staleAfterMs;
    return { kind: "event", event, propertiesJson, isStale };
  }
  const { errorType, message: errorMessage } = decoded;
  const source = `message ${messageId}`;
  return {
    kind: "deadLetter",
    deadLetter: createDeadLetter({ errorType, errorMessage, payload: data, source, failedAt: now }),
  };
}

/** An element for Beam's `split`: an object whose only key is the name of its output. */
type SplitElement = { readonly events: ParsedEvent } | { readonly deadLetters: DeadLetter };

/** Parses messages into events and dead letters, and counts both. */
export class ParseMessages {
  /** @param staleAfterMs see {@link parseMessage} */
  constructor(private readonly staleAfterMs: number | undefined) {}

  *process(message: PubSubMessage): Iterable<SplitElement> {
    count("messageBytes", message.data.length);
    if (message.replay === undefined) yield this.split(parseMessage(message, this.staleAfterMs, Date.now()), "events");
    else yield* this.splitReplay(message, message.replay);
  }

  private *splitReplay(message: PubSubMessage, generation: string): Generator<SplitElement> {
    const bypassesWindows = this.staleAfterMs !== undefined;
    for (const result of parseReplay(message, generation, bypassesWindows, Date.now())) {
      yield this.split(result, "replayedEvents");
    }
  }

  private split(result: ParseResult, counter: "events" | "replayedEvents"): SplitElement {
    switch (result.kind) {
      case "event":
        count(counter);
        return { events: result };
      case "deadLetter":
        count("deadLetters");
        return { deadLetters: result.deadLetter };
    }
  }
}

/** Events and dead letters of a collection of messages. */
export interface ParsedMessages {
  readonly events: PCollection<ParsedEvent>;
  readonly deadLetters: PCollection<DeadLetter>;
}

/**
 * Parses messages; the outputs are the events and the dead letters. Its two steps have no composite around them: their
 * names are known to running jobs.
 */
export function parseMessages(messages: PCollection<PubSubMessage>, staleAfterMs?: number): ParsedMessages {
  const results = pipe(
    messages,
    withName("ParseMessages", parDo<PubSubMessage, SplitElement>(new ParseMessages(staleAfterMs))),
  );
  return results.apply(withName("SplitDeadLetters", split(["events", "deadLetters"]))) as ParsedMessages;
}

registerModule(module);
