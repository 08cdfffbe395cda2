/** Any value JSON can hold. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  [key: string]: JsonValue;
}

/** A validated event. Optional fields that were absent in the {@link EventInput} are null. */
export interface AnalyticsEvent {
  type: "event";
  /** Identifies the event: two events with the same id count as one. */
  event_id: string;
  session_id: string;
  event_name: string;
  /** Epoch milliseconds, an integer, not before 1970. Its UTC date is the day the event counts on. */
  event_time: number;
  /** The event time as the client sent it, epoch milliseconds; null unless `event_time` was corrected because the client's clock was wrong. */
  original_event_time: number | null;
  /** null for an anonymous user. */
  user_id: string | null;
  /** Id of a device or browser before anyone logs in. An event with both ids links them. A namespace of its own: never compared with user ids. */
  anonymous_id: string | null;
  page: string | null;
  country: string | null;
  region: string | null;
  city: string | null;
  /** Name of the app: the field of the event, else the name of the write key. */
  app: string | null;
  /** What the app runs on: `web`, `ios`, `android`, `server` or what the event names. */
  platform: string | null;
  /** Host of the page that led here, in lower case. Never a path or query. */
  referrer: string | null;
  /** Name of the browser, from the user agent. */
  browser: string | null;
  /** Name of the operating system, from the user agent. */
  os: string | null;
  /** Whether the user agent is that of a bot. */
  is_bot: boolean;
  /** Stored in the raw table only; the rollups do not use it. */
  properties: JsonObject | null;
  /** When the server received the event, epoch milliseconds, an integer. */
  received_at: number;
}

/** An event as an app sends it. eventSchema.ts has the rule of each field. */
export interface EventInput {
  type: "event";
  /** The server generates a UUIDv7 when absent. */
  event_id?: string;
  session_id: string;
  event_name: string;
  /** Epoch seconds (fraction allowed), epoch milliseconds (>= 1e11), or ISO 8601. */
  event_time: number | string;
  user_id?: string | null;
  anonymous_id?: string | null;
  /** When the client sent the request, by its own clock; as `event_time`. Used only to detect a wrong clock. */
  sent_at?: number | string | null;
  page?: string | null;
  country?: string | null;
  region?: string | null;
  city?: string | null;
  app?: string | null;
  platform?: string | null;
  /** A URL or a host; the host is kept. */
  referrer?: string | null;
  properties?: JsonObject;
}
