import type { AnalyticsEvent } from "@eventlogger/events/event";

/** An accepted event on its way through the pipeline. */
export interface ParsedEvent {
  readonly event: AnalyticsEvent;
  /**
   * Whether it goes round the session windows. Decided once for each reading: two steps that each looked at the clock
   * could both leave an event to the other.
   */
  readonly late: boolean;
}
