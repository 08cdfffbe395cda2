import { ABSENT_FIELDS } from "@eventlogger/events/absentFields";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import type { ParsedEvent } from "../parse/parsedEvent";

/** A parsed event with defaults for everything that a test does not set. */
export function parsedEvent(fields: Partial<AnalyticsEvent> & { event_time: number }, isStale = false): ParsedEvent {
  const event: AnalyticsEvent = {
    type: "event",
    event_id: `${fields.session_id}-${fields.event_time}`,
    session_id: "s",
    event_name: "view",
    ...ABSENT_FIELDS,
    received_at: fields.event_time,
    ...fields,
  };
  return { event, isStale };
}
