import type { AnalyticsEvent } from "@eventlogger/events/event";

/** The fields by which events can be chosen. */
export const FILTER_FIELDS = [
  "event_name",
  "user_id",
  "anonymous_id",
  "session_id",
  "page",
  "country",
  "app",
  "platform",
] as const;
type FilterField = (typeof FILTER_FIELDS)[number];

/** For each field the values that an event may have. A field without values is not checked. */
export type EventFilter = Readonly<Partial<Record<FilterField, readonly string[] | undefined>>>;

/** Whether any field is checked. */
export function isSelective(filter: EventFilter): boolean {
  return FILTER_FIELDS.some((field) => filter[field]?.length);
}

/** Whether an event has one of the values of each field. `*` at the end of a value matches any text. */
export function passes(event: AnalyticsEvent, filter: EventFilter): boolean {
  return FILTER_FIELDS.every((field) => {
    const wanted = filter[field];
    const value = event[field];
    return !wanted?.length || (value !== null && wanted.some((text) => isMatch(value, text)));
  });
}

function isMatch(value: string, wanted: string): boolean {
  return wanted.endsWith("*") ? value.startsWith(wanted.slice(0, -1)) : value === wanted;
}
