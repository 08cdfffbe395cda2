/** Any value JSON can hold. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  [key: string]: JsonValue;
}

/** An accepted event: what validation makes of an {@link EventInput}. Absent optional fields are null. */
export interface AnalyticsEvent {
  type: "event";
  /** Two events with one id are one event. */
  event_id: string;
  session_id: string;
  event_name: string;
  /** Epoch milliseconds, an integer, not before 1970. Its UTC date is the day the event counts on. */
  event_time: number;
  /** null = anonymous. */
  user_id: string | null;
  page: string | null;
  country: string | null;
  region: string | null;
  city: string | null;
  /** Kept in the raw table, never in the rollups. */
  properties: JsonObject | null;
  /** When the server received the event, epoch milliseconds, an integer. */
  received_at: number;
}

/** An event as an app sends it; see eventSchema.ts for the rule of each field. */
export interface EventInput {
  type: "event";
  /** The server makes a UUIDv7 when absent. */
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
