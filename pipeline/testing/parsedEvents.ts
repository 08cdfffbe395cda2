import type { AnalyticsEvent } from "@eventlogger/events/event";
import type { ParsedEvent } from "../parse/parsedEvent";

/** A parsed event with defaults for everything that a test does not set. */
export function parsedEvent(fields: Partial<AnalyticsEvent> & { event_time: number }, isStale = false): ParsedEvent {
  const event: AnalyticsEvent = {
    type: "event",
    event_id: `${fields.session_id}-${fields.event_time}`,
    session_id: "s",
    event_name: "view",
    user_id: null,
    page: null,
    country: null,
    region: null,
    city: null,
    properties: null,
    received_at: fields.event_time,
    ...fields,
  };
  return { event, isStale };
}
