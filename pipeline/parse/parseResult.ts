import type { DeadLetter } from "@eventlogger/events/deadLetter";
import type { ParsedEvent } from "./parsedEvent";

/** What parsing makes of a message, or of a line of a replay message. */
export type ParseResult =
  ({ readonly kind: "event" } & ParsedEvent) | { readonly kind: "deadLetter"; readonly deadLetter: DeadLetter };
