import "../beam/sdk";
import { requireForSerialization } from "apache-beam/serialization";
import { eventRow } from "../bigquery/eventRow";
import type { EventRow } from "../bigquery/tables";
import type { ParsedEvent } from "./parsedEvent";

/** The row of the raw table for each event. */
export class ToEventRows {
  *process({ event }: ParsedEvent): Iterable<EventRow> {
    yield eventRow(event);
  }
}

requireForSerialization("eventlogger/dist/pipeline/transforms/toEventRows", exports as object);
