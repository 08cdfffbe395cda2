import "@eventlogger/beam/sdk";
import { parDo, withName, type PCollection } from "apache-beam";
import type { PTransform } from "apache-beam/transforms/transform";
import { registerModule } from "@eventlogger/beam/registerModule";
import type { EventRow } from "@eventlogger/gcp/bigquery/tables";
import type { ParsedEvent } from "../../parse/parsedEvent";
import { eventRow, eventRowWith } from "./eventRow";

/** Maps each event to its row in the raw table. A replayed event has its row already. */
export class ToEventRows {
  *process({ event, propertiesJson, isReplay }: ParsedEvent): Iterable<EventRow> {
    if (isReplay) return;
    yield propertiesJson === undefined ? eventRow(event) : eventRowWith(event, propertiesJson);
  }
}

/** Maps events to rows of the raw table, in a step of its own: running jobs know it by its name. */
export function toEventRows(): PTransform<PCollection<ParsedEvent>, PCollection<EventRow>> {
  return withName("ToEventRows", parDo<ParsedEvent, EventRow>(new ToEventRows()));
}

registerModule(module);
