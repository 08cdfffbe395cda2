import { dayOf, dayToIso, timeToIso } from "@eventlogger/events/day";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import type { EventRow } from "@eventlogger/gcp/bigquery/tables";
import { partitionDate } from "./partitionDate";

/** The row of an event in the raw table. */
export function eventRow(event: AnalyticsEvent): EventRow {
  return eventRowWith(event, JSON.stringify(event.properties));
}

/** The row of an event, of whose properties the JSON is known. */
export function eventRowWith(event: AnalyticsEvent, propertiesJson: string): EventRow {
  return {
    event_id: event.event_id,
    session_id: event.session_id,
    event_name: event.event_name,
    // Text, because BigQuery would read a number as seconds.
    event_time: timeToIso(event.event_time),
    event_date: dayToIso(dayOf(event.event_time)),
    original_event_time: event.original_event_time === null ? null : timeToIso(event.original_event_time),
    user_id: event.user_id,
    anonymous_id: event.anonymous_id,
    page: event.page,
    country: event.country,
    region: event.region,
    city: event.city,
    app: event.app,
    platform: event.platform,
    referrer: event.referrer,
    browser: event.browser,
    os: event.os,
    is_bot: event.is_bot,
    properties: event.properties && propertiesJson,
    received_at: timeToIso(event.received_at),
    received_date: partitionDate(event.received_at),
  };
}
