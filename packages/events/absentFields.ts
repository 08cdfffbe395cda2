import type { AnalyticsEvent } from "./event";

/** The fields that a message may lack, and `properties`. */
export type OptionalField = Exclude<
  keyof AnalyticsEvent,
  "type" | "event_id" | "session_id" | "event_name" | "event_time" | "received_at"
>;

/** What an event has in the fields that its message lacks. */
export const ABSENT_FIELDS: Readonly<Pick<AnalyticsEvent, OptionalField>> = Object.freeze({
  original_event_time: null,
  user_id: null,
  anonymous_id: null,
  page: null,
  country: null,
  region: null,
  city: null,
  app: null,
  platform: null,
  referrer: null,
  browser: null,
  os: null,
  is_bot: false,
  properties: null,
});
