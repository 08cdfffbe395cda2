import type { Registry } from "prom-client";
import { postedEventSchema } from "@eventlogger/events/eventSchema";
import type { FieldError, WarningCode } from "@eventlogger/events/validation";
import type { SegmentCall } from "@eventlogger/options/segmentPath";
import type { EventCounts } from "../../routes/batches/batchEvents";
import { CountingHistogram, type Observer } from "./histogram";
import { Tally } from "./tally";

const BATCH_BUCKETS = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** Label of all fields that are not those of an event. */
const UNKNOWN_FIELD = "unknown_field";

/** Label of events sent without a key. */
const NO_KEY = "";

/** The reason of a rejection, as a label: the first invalid field. All unknown fields share one label. */
function reasonOf(errors: readonly FieldError[]): string {
  const field = errors[0]?.field ?? "";
  if (field === "") return "no_event";
  return postedEventSchema.messages.has(field) ? field : UNKNOWN_FIELD;
}

/** Counts accepted and rejected events. */
export class EventMetrics {
  private readonly acceptedTotal: Tally<"key">;
  private readonly rejectedTotal: Tally<"reason">;
  private readonly warningsTotal: Tally<"field" | "warning">;
  private readonly unknownFieldsTotal: Tally<"key">;
  private readonly timesTotal: Tally<"outcome">;
  private readonly segmentTotal: Tally<"call">;
  private readonly batchEvents: Observer;
  /** By key name; undefined for events sent without a key. */
  private readonly accepts = new Map<string | undefined, { value: number }>();

  constructor(registry: Registry) {
    this.acceptedTotal = new Tally(registry, {
      name: "ingest_events_accepted_total",
      help: "Events that Pub/Sub has acknowledged, by the name of the write key",
      labelNames: ["key"],
    });
    this.rejectedTotal = new Tally(registry, {
      name: "ingest_events_rejected_total",
      help: "Events that were not valid, by the first invalid field",
      labelNames: ["reason"],
    });
    this.warningsTotal = new Tally(registry, {
      name: "ingest_event_warnings_total",
      help: "Warnings about accepted events, by field and kind; user_id placeholder counts the ids that were read as null",
      labelNames: ["field", "warning"],
    });
    this.unknownFieldsTotal = new Tally(registry, {
      name: "ingest_events_with_unknown_fields_total",
      help: "Accepted events with fields that are not those of an event, by the name of the write key",
      labelNames: ["key"],
    });
    this.timesTotal = new Tally(registry, {
      name: "ingest_event_times_total",
      help: "Event times that were corrected because the clock of the sender is wrong, and those that were refused because they are too early or too late",
      labelNames: ["outcome"],
    });
    this.segmentTotal = new Tally(registry, {
      name: "ingest_segment_calls_total",
      help: "Accepted calls of Segment's libraries, by their type",
      labelNames: ["call"],
    });
    const batchEvents = new CountingHistogram(registry, {
      name: "ingest_batch_events",
      help: "Events per batch, of POST to /events/ and of Segment's libraries",
      buckets: BATCH_BUCKETS,
    });
    this.batchEvents = batchEvents.series({});
    this.accepts.set(undefined, this.acceptedTotal.entry({ key: NO_KEY }));
  }

  /** Records acknowledged events. @param keyName name of the presented key */
  accepted(keyName: string | undefined, events: number): void {
    if (events === 0) return;
    let count = this.accepts.get(keyName);
    if (!count) this.accepts.set(keyName, (count = this.acceptedTotal.entry({ key: keyName ?? NO_KEY })));
    count.value += events;
  }

  /** Records an invalid event. */
  rejected(errors: readonly FieldError[]): void {
    this.rejectedTotal.add({ reason: reasonOf(errors) });
  }

  /** Records a warning about an accepted event. */
  warned(warning: { readonly field: string; readonly code: WarningCode }): void {
    // The names of fields that are not known are those of clients: any number of names.
    const isUnknown = warning.code === "misspelled" || warning.code === "unknown";
    const field = isUnknown ? UNKNOWN_FIELD : warning.field;
    this.warningsTotal.add({ field, warning: warning.code });
  }

  /** Records what is special about the events of a request. @param keyName name of the presented key */
  counted(keyName: string | undefined, counts: Partial<EventCounts>): void {
    const { unknownFields = 0, correctedTimes = 0, refusedTimes = 0 } = counts;
    if (unknownFields > 0) this.unknownFieldsTotal.add({ key: keyName ?? NO_KEY }, unknownFields);
    if (correctedTimes > 0) this.timesTotal.add({ outcome: "corrected" }, correctedTimes);
    if (refusedTimes > 0) this.timesTotal.add({ outcome: "refused" }, refusedTimes);
  }

  /** Records an accepted call of Segment's libraries. */
  segmentCall(call: SegmentCall): void {
    this.segmentTotal.add({ call });
  }

  /** Records the size of a batch. */
  batch(events: number): void {
    this.batchEvents.observe(events);
  }
}
