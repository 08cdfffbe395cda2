import "@eventlogger/beam/sdk";
import { count } from "@eventlogger/beam";
import { deadLetterOf } from "../io/bigquery/deadLetter";
import type { DeadLetterRow } from "@eventlogger/gcp/bigquery/tables";
import { decodeMessage } from "@eventlogger/events/eventMessage";
import type { PubSubMessage } from "../io/pubsub/message";
import type { ParsedEvent } from "./parsedEvent";
import { registerModule } from "@eventlogger/beam/registerModule";

/** One of the two. */
export type ParseResult = { events: ParsedEvent } | { deadLetters: DeadLetterRow };

/** Makes events of messages, and dead letters of messages that are none. */
export class ParseMessages {
  /** @param lateAfterMs events that were this old when they are read go round the session windows */
  constructor(private readonly lateAfterMs: number) {}

  *process(message: PubSubMessage): Iterable<ParseResult> {
    const { data, messageId, publishTime } = message;
    const decoded = decodeMessage(data, { messageId, publishTime });
    if (decoded.ok) {
      const { event } = decoded;
      count("events");
      yield { events: { event, late: event.event_time < Date.now() - this.lateAfterMs } };
    } else {
      count("deadLetters");
      const { errorType, message: errorMessage } = decoded;
      yield { deadLetters: deadLetterOf({ errorType, errorMessage, payload: data, source: `message ${messageId}` }) };
    }
  }
}

registerModule(module);
