/** The column types in use. */
export type ColumnType = "STRING" | "INT64" | "DATE" | "TIMESTAMP" | "JSON";

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly mode: "REQUIRED" | "NULLABLE";
  readonly description?: string;
}

export interface Table {
  readonly name: string;
  readonly description: string;
  readonly columns: readonly Column[];
  /** DATE or TIMESTAMP column whose day is the partition. */
  readonly partitionBy: string;
  readonly clusterBy?: readonly string[];
}

const required = (name: string, type: ColumnType, description?: string): Column => ({
  name,
  type,
  mode: "REQUIRED",
  ...(description && { description }),
});

const nullable = (name: string, type: ColumnType, description?: string): Column => ({
  name,
  type,
  mode: "NULLABLE",
  ...(description && { description }),
});

/** One accepted event. Timestamps are ISO 8601 in UTC with milliseconds; `event_date` is YYYY-MM-DD. */
export interface EventRow {
  event_id: string;
  session_id: string;
  event_name: string;
  event_time: string;
  event_date: string;
  user_id: string | null;
  page: string | null;
  country: string | null;
  region: string | null;
  city: string | null;
  /** JSON text. */
  properties: string | null;
  received_at: string;
}

/** The totals of one day; of several rows of a day the one with the highest version counts. */
export interface RollupVersionRow {
  /** YYYY-MM-DD. */
  date: string;
  version: number;
  session_count: number;
  session_duration_ms: number;
  active_user_count: number;
  new_user_count: number;
  /** ISO 8601. */
  updated_at: string;
}

/** A message or row that could not be used, with what was wrong with it. */
export interface DeadLetterRow {
  error_type: string;
  error_message: string;
  /** The bytes as text; base64 when they are not UTF-8. */
  payload: string;
  payload_encoding: "utf8" | "base64";
  /** Where it came from: a message id, or the table that refused the row. */
  source: string;
  /** ISO 8601. */
  failed_at: string;
}

/** Rows by table. */
export interface TableRows {
  events: EventRow;
  daily_rollup_versions: RollupVersionRow;
  dead_letters: DeadLetterRow;
}
export type TableName = keyof TableRows;

/**
 * Every accepted event, as often as it was delivered. Partitioned on a column that holds the day, not on an expression
 * of the time: that also works where expressions are ignored.
 */
export const eventsTable: Table = {
  name: "events",
  description: "Accepted events; an event that was delivered twice can be here twice (see the view events_unique)",
  columns: [
    required("event_id", "STRING", "Two rows with one event_id are one event"),
    required("session_id", "STRING"),
    required("event_name", "STRING"),
    required("event_time", "TIMESTAMP", "When it happened, millisecond precision"),
    required("event_date", "DATE", "The UTC day of event_time"),
    nullable("user_id", "STRING", "null: anonymous"),
    nullable("page", "STRING"),
    nullable("country", "STRING"),
    nullable("region", "STRING"),
    nullable("city", "STRING"),
    nullable("properties", "JSON"),
    required("received_at", "TIMESTAMP", "When the server received it"),
  ],
  partitionBy: "event_date",
  clusterBy: ["event_name", "user_id"],
};

export const dailyRollupVersionsTable: Table = {
  name: "daily_rollup_versions",
  description: "Every state that the totals of a day went through (the view daily_rollups shows the newest)",
  columns: [
    required("date", "DATE", "UTC day"),
    required("version", "INT64", "Grows with every row of a day"),
    required("session_count", "INT64"),
    required("session_duration_ms", "INT64", "Sum over the sessions of the day"),
    required("active_user_count", "INT64", "Distinct known users with an event that day"),
    required("new_user_count", "INT64", "Distinct known users whose earliest day is that day"),
    required("updated_at", "TIMESTAMP"),
  ],
  partitionBy: "date",
};

export const deadLettersTable: Table = {
  name: "dead_letters",
  description: "Messages that are no events, and rows that BigQuery refused",
  columns: [
    required("error_type", "STRING"),
    required("error_message", "STRING"),
    required("payload", "STRING"),
    required("payload_encoding", "STRING", "utf8 or base64"),
    required("source", "STRING", "Message id, or the table that refused the row"),
    required("failed_at", "TIMESTAMP"),
  ],
  partitionBy: "failed_at",
};

export const tables: readonly Table[] = [eventsTable, dailyRollupVersionsTable, deadLettersTable];

export const tableByName: { readonly [T in TableName]: Table } = {
  events: eventsTable,
  daily_rollup_versions: dailyRollupVersionsTable,
  dead_letters: deadLettersTable,
};
