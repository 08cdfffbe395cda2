import type { AnalyticsEvent } from "@eventlogger/events/event";

/** A valid event on its way through the pipeline. */
export interface ParsedEvent {
  readonly event: AnalyticsEvent;
  /** JSON of the event's properties, when the parser has it; `null` without properties. */
  readonly propertiesJson?: string;
  /**
   * Whether the event was too old for Beam's session windows when it was read, and bypasses them. False without such windows. Decided once per reading:
   * if two steps decided it independently, both could leave the event to the other.
   */
  readonly isStale: boolean;
  /**
   * Set for a stored event that is replayed: only the ledgers of sessions and users count it. It has a raw row already, and lacks the fields
   * that only the row has.
   */
  readonly isReplay?: true;
}
