import { encodeMessage, type EventMessage } from "@eventlogger/events/eventMessage";
import { validateEvent, type FieldError, type FieldWarning, type PostingRules } from "@eventlogger/events/validation";

/** An event that was not accepted. */
export interface RejectedEvent {
  /** Index in the batch, from 0. */
  readonly index: number;
  readonly errors: readonly FieldError[];
}

/** A warning about an event that was accepted, or about the batch. */
export interface EventWarning extends FieldWarning {
  /** Index in the batch, from 0. Absent: the warning is about the batch itself. */
  readonly index?: number;
}

/** Counts of what is special about the events of a request. */
export interface EventCounts {
  /** Accepted events with fields that are not those of an event. */
  unknownFields: number;
  /** Event times that were corrected, because the clock of the sender is wrong. */
  correctedTimes: number;
  /** Event times that were too early or too late, after any correction. */
  refusedTimes: number;
}

/** Finds events of a batch that have the id of an earlier one and other content. Equal events are repeats, and allowed. */
class IdConflicts {
  private readonly first = new Map<string, { readonly index: number; readonly data: Buffer }>();

  conflictOf({ data, attributes: { event_id } }: EventMessage, index: number): EventWarning | undefined {
    const first = this.first.get(event_id);
    if (first === undefined) this.first.set(event_id, { index, data });
    // All events of a batch are received at the same time, so equal events are equal messages.
    if (first === undefined || first.data.equals(data)) return undefined;
    const message = `must name one event, but event ${first.index} of this batch has it too, with other content; one of them counts`;
    return { index, field: "event_id", code: "conflict", message };
  }
}

/** The events of one request, as they are validated one after the other. */
export class BatchEvents {
  readonly messages: EventMessage[] = [];
  readonly rejected: RejectedEvent[] = [];
  readonly warnings: EventWarning[] = [];
  readonly counts: EventCounts = { unknownFields: 0, correctedTimes: 0, refusedTimes: 0 };
  /** The anonymous ids of the accepted events. */
  readonly anonymousIds = new Set<string>();
  private readonly conflicts = new IdConflicts();

  /** @param receivedAt epoch milliseconds */
  constructor(private readonly receivedAt: number) {}

  /** Number of events, accepted and rejected ones. */
  get size(): number {
    return this.messages.length + this.rejected.length;
  }

  /** Validates an event, and keeps its message or what is wrong with it. @returns whether it is accepted */
  add(index: number, input: unknown, rules: PostingRules): boolean {
    const result = validateEvent(input, this.receivedAt, rules);
    if (!result.ok) {
      if (result.isTimeOutOfRange) this.counts.refusedTimes++;
      this.reject(index, result.errors);
      return false;
    }
    const message = encodeMessage(result.event, result.propertiesJson);
    this.messages.push(message);
    if (result.event.anonymous_id !== null) this.anonymousIds.add(result.event.anonymous_id);
    if (result.event.original_event_time !== null) this.counts.correctedTimes++;
    if (result.hasUnknownFields) this.counts.unknownFields++;
    const conflict = this.conflicts.conflictOf(message, index);
    if (conflict) this.warnings.push(conflict);
    for (const warning of result.warnings) this.warnings.push({ index, ...warning });
    return true;
  }

  /** Keeps a warning about the batch itself. */
  warn(warning: FieldWarning): void {
    this.warnings.push(warning);
  }

  /** Keeps what is wrong with an entry that cannot be validated. */
  reject(index: number, errors: readonly FieldError[]): void {
    this.rejected.push({ index, errors });
  }
}
