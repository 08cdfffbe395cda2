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
  /** null for an anonymous user. */
  user_id: string | null;
  page: string | null;
  country: string | null;
  region: string | null;
  city: string | null;
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
  page?: string | null;
  country?: string | null;
  region?: string | null;
  city?: string | null;
  properties?: JsonObject;
}
