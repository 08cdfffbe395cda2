import type { AnalyticsEvent } from "@eventlogger/events/event";

/** A valid event on its way through the pipeline. */
export interface ParsedEvent {
  readonly event: AnalyticsEvent;
  /**
   * Whether the event was too old for the session windows when it was read, and bypasses them. Decided once per reading:
   * if two steps decided it independently, both could leave the event to the other.
   */
  readonly isStale: boolean;
}
