import { ABSENT_FIELDS } from "@eventlogger/events/absentFields";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import type { RollupVersionRow } from "../tables";

/** An event with defaults for all fields that a test does not set. */
export function event(fields: Partial<AnalyticsEvent> & { event_time: number }): AnalyticsEvent {
  return {
    type: "event",
    event_id: `id-${fields.session_id}-${fields.event_time}`,
    session_id: "s",
    event_name: "view",
    ...ABSENT_FIELDS,
    received_at: fields.event_time + 1000,
    ...fields,
  };
}

/** A rollup version of today with zeros for all numbers that a test does not set. */
export function rollupVersion(fields: Partial<RollupVersionRow> & { date: string }): RollupVersionRow {
  return {
    generation: 1,
    version: 1,
    session_count: 0,
    session_duration_ms: 0,
    active_user_count: 0,
    new_user_count: 0,
    anonymous_user_count: 0,
    weekly_active_change: 0,
    monthly_active_change: 0,
    bot_session_count: 0,
    bot_user_count: 0,
    updated_at: "2024-05-01T00:00:00.000Z",
    written_date: new Date().toISOString().slice(0, 10),
    ...fields,
  };
}
