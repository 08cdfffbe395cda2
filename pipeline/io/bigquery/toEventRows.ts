import "@eventlogger/beam/sdk";
import { eventRow } from "./eventRow";
import type { EventRow } from "@eventlogger/gcp/bigquery/tables";
import type { ParsedEvent } from "../../parse/parsedEvent";
import { registerModule } from "@eventlogger/beam/registerModule";

/** The row of the raw table for each event. */
export class ToEventRows {
  *process({ event }: ParsedEvent): Iterable<EventRow> {
    yield eventRow(event);
  }
}

registerModule(module);
