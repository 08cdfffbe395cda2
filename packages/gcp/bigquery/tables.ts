/** Column types that the tables use. */
export type ColumnType = "STRING" | "INT64" | "DATE" | "TIMESTAMP" | "JSON" | "BOOL";

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly mode: "REQUIRED" | "NULLABLE";
  readonly description: string;
}

export interface Table {
  readonly name: string;
  readonly description: string;
  readonly columns: readonly Column[];
  /**
   * DATE or TIMESTAMP column; the table is partitioned by its day. Never a time that a client chooses: BigQuery refuses
   * streamed rows whose day is more than 1,825 days back or 366 days ahead.
   */
  readonly partitionBy: string;
  readonly clusterBy?: readonly string[];
}

const required = (name: string, type: ColumnType, description: string): Column => ({
  name,
  type,
  mode: "REQUIRED",
  description,
});

const nullable = (name: string, type: ColumnType, description: string): Column => ({
  name,
  type,
  mode: "NULLABLE",
  description,
});

const generationColumn = required("generation", "INT64", "The generation of the numbers (see the table generations)");

/** One accepted event. Timestamps are ISO 8601 in UTC with milliseconds; dates are YYYY-MM-DD. */
export interface EventRow {
  event_id: string;
  session_id: string;
  event_name: string;
  event_time: string;
  event_date: string;
  original_event_time: string | null;
  user_id: string | null;
  anonymous_id: string | null;
  page: string | null;
  country: string | null;
  region: string | null;
  city: string | null;
  app: string | null;
  platform: string | null;
  referrer: string | null;
  browser: string | null;
  os: string | null;
  is_bot: boolean;
  /** JSON text. */
  properties: string | null;
  received_at: string;
  /** The row's partition. */
  received_date: string;
}

/** The totals of one day of a generation. Of several rows for a day, the one with the highest version is valid. */
export interface RollupVersionRow {
  generation: number;
  /** YYYY-MM-DD. */
  date: string;
  version: number;
  session_count: number;
  session_duration_ms: number;
  active_user_count: number;
  new_user_count: number;
  /** ISO 8601. */
  updated_at: string;
  /** YYYY-MM-DD; the row's partition. */
  written_date: string;
  anonymous_user_count: number;
  /** Change of the weekly active users from the day before: see the view daily_rollups. Also on days without events. */
  weekly_active_change: number;
  monthly_active_change: number;
  bot_session_count: number;
  bot_user_count: number;
}

/**
 * The persons of one cohort who were active in one week, of a generation. Of several rows for a cohort and week, the one with the highest
 * version is valid.
 */
export interface RetentionVersionRow {
  generation: number;
  /** YYYY-MM-DD; a Monday. */
  cohort_week: string;
  week_offset: number;
  person_count: number;
  version: number;
  /** ISO 8601. */
  updated_at: string;
  /** YYYY-MM-DD; the row's partition. */
  written_date: string;
}

/** Hashes of accepted events that one bundle added to the record. The record of a day is the set of all its hashes. */
export interface AcceptedIdsRow {
  /** YYYY-MM-DD; the day of the events. */
  event_date: string;
  /** Hashes of event ids, 12 hexadecimal digits each, separated by commas. */
  hashes: string;
  /** YYYY-MM-DD; the row's partition. */
  written_date: string;
}

/** A message that could not be parsed, or a row that BigQuery rejected, with the reason. */
export interface DeadLetterRow {
  error_type: string;
  error_message: string;
  /** The bytes as text; base64 when they are not UTF-8. */
  payload: string;
  payload_encoding: "utf8" | "base64";
  /** Message id, or the table that rejected the row. */
  source: string;
  /** ISO 8601. */
  failed_at: string;
}

/** Row types by table name. */
export interface TableRows {
  events: EventRow;
  daily_rollup_versions: RollupVersionRow;
  weekly_retention_versions: RetentionVersionRow;
  dead_letters: DeadLetterRow;
  accepted_ids: AcceptedIdsRow;
}
export type TableName = keyof TableRows;

/**
 * Every accepted event, once per delivery. Partitioned by a DATE column, not by an expression over `received_at`: some
 * emulators ignore expressions.
 */
export const eventsTable: Table = {
  name: "events",
  description: "Accepted events; an event that was delivered twice can have two rows (see the view events_unique)",
  columns: [
    required("event_id", "STRING", "Rows with the same event_id are one event"),
    required("session_id", "STRING", "Id of the visit, as the app sent it"),
    required("event_name", "STRING", "What happened, such as page_view"),
    required("event_time", "TIMESTAMP", "Time of the event, with millisecond precision"),
    required("event_date", "DATE", "UTC day of event_time"),
    nullable("original_event_time", "TIMESTAMP", "event_time as the client sent it; null unless it was corrected"),
    nullable("user_id", "STRING", "Id of the user; null for events without one"),
    nullable("anonymous_id", "STRING", "Id of a device or browser before anyone logs in"),
    nullable("page", "STRING", "Page or screen of the event"),
    nullable("country", "STRING", "Country, as the app sent it"),
    nullable("region", "STRING", "Region, as the app sent it"),
    nullable("city", "STRING", "City, as the app sent it"),
    nullable("app", "STRING", "Name of the app: the field of the event, else the name of the write key"),
    nullable("platform", "STRING", "Such as web, ios, android or server"),
    nullable("referrer", "STRING", "Host of the page that led here"),
    nullable("browser", "STRING", "Name of the browser, from the user agent"),
    nullable("os", "STRING", "Name of the operating system, from the user agent"),
    nullable(
      "is_bot",
      "BOOL",
      "Whether the user agent is that of a bot; null in rows of earlier releases, which means no",
    ),
    nullable(
      "properties",
      "JSON",
      "Further values of the event, an object; read one with JSON_VALUE(properties, '$.plan')",
    ),
    required("received_at", "TIMESTAMP", "Time when the server received the event"),
    required(
      "received_date",
      "DATE",
      "UTC day of received_at; the day of writing when received_at is years away. The partition of the row",
    ),
  ],
  partitionBy: "received_date",
  clusterBy: ["event_date", "event_name", "user_id"],
};

export const dailyRollupVersionsTable: Table = {
  name: "daily_rollup_versions",
  description: "All versions of the totals of each day and generation (the view daily_rollups shows the newest)",
  columns: [
    generationColumn,
    required("date", "DATE", "Day in the time zone of the generation"),
    required("version", "INT64", "Increases with every row of a day of a generation"),
    required("session_count", "INT64", "Sessions of the day"),
    required("session_duration_ms", "INT64", "Sum of the session durations of the day"),
    required("active_user_count", "INT64", "Persons with an event that day"),
    required("new_user_count", "INT64", "Persons whose earliest day is that day"),
    required("updated_at", "TIMESTAMP", "When the pipeline made the row, by the clock of its worker"),
    required("written_date", "DATE", "UTC day of updated_at. The partition of the row"),
    // Nullable, because rows of earlier releases lack them: null means 0.
    nullable("anonymous_user_count", "INT64", "Those of active_user_count without a user id"),
    nullable(
      "weekly_active_change",
      "INT64",
      "Persons active in the 7 days until that day, minus those of the day before",
    ),
    nullable("monthly_active_change", "INT64", "As weekly_active_change, of 30 days"),
    nullable("bot_session_count", "INT64", "Sessions of bots"),
    nullable("bot_user_count", "INT64", "Persons with events that day which are all of bots"),
  ],
  partitionBy: "written_date",
  clusterBy: ["generation", "date"],
};

export const weeklyRetentionVersionsTable: Table = {
  name: "weekly_retention_versions",
  description: "All versions of the weekly retention of each generation (the view weekly_retention shows the newest)",
  columns: [
    generationColumn,
    required("cohort_week", "DATE", "Monday of the ISO week of the first day of the persons of the cohort"),
    required("week_offset", "INT64", "Weeks after the week of the cohort, 0 to 53"),
    required("person_count", "INT64", "Persons of the cohort who were active in that week"),
    required("version", "INT64", "Increases with every row of a cohort and week of a generation"),
    required("updated_at", "TIMESTAMP", "When the pipeline made the row, by the clock of its worker"),
    required("written_date", "DATE", "UTC day of updated_at. The partition of the row"),
  ],
  partitionBy: "written_date",
  clusterBy: ["generation", "cohort_week"],
};

export const deadLettersTable: Table = {
  name: "dead_letters",
  description: "Messages that are not valid events, and rows that BigQuery rejected",
  columns: [
    required("error_type", "STRING", "Kind of the error, such as invalid_event"),
    required("error_message", "STRING", "What is wrong"),
    required("payload", "STRING", "The message or the row"),
    required("payload_encoding", "STRING", "utf8, or base64 for bytes that are not UTF-8"),
    required("source", "STRING", "Message id, or the table that rejected the row"),
    required("failed_at", "TIMESTAMP", "When it failed. The partition of the row is its UTC day"),
  ],
  partitionBy: "failed_at",
};

export const acceptedIdsTable: Table = {
  name: "accepted_ids",
  description:
    "Hashes of the ids of accepted events, for `eventlogger verify`: all of a day with few events, else a sample",
  columns: [
    required("event_date", "DATE", "UTC day of the events"),
    required("hashes", "STRING", "SUBSTR(TO_HEX(SHA256(event_id)), 1, 12) of each event, separated by commas"),
    required("written_date", "DATE", "UTC day of writing. The partition of the row"),
  ],
  partitionBy: "written_date",
  clusterBy: ["event_date"],
};

/** Written with SQL only, never streamed: BigQuery refuses to update rows that were streamed minutes ago. */
export const generationsTable: Table = {
  name: "generations",
  description: "Generations of the numbers: their definitions, what computes them, and the run that may write them",
  columns: [
    required("generation", "INT64", "Id of the generation, from 1"),
    required("status", "STRING", "building: not shown to readers; active: the one that readers see; retired"),
    required("settings", "STRING", "JSON; the settings that the numbers and the pipeline state depend on"),
    required("created_at", "TIMESTAMP", "When it was created"),
    nullable("activated_at", "TIMESTAMP", "Last time that it became active; null: never"),
    nullable("retired_at", "TIMESTAMP", "Since when it is retired; null while it is not"),
    nullable("subscription", "STRING", "Subscription of the events that its pipeline reads"),
    nullable("replay_topic", "STRING", "Topic of the raw rows that are counted again"),
    nullable("replay_subscription", "STRING", "Subscription of that topic"),
    nullable("job", "STRING", "JSON; what computes it: a state directory of Flink, or a job of Dataflow"),
    nullable("rebuild", "STRING", "JSON; progress of the rebuild that computes it"),
    nullable("state", "STRING", "Id of the state on Flink that its numbers come from"),
    nullable("state_run", "INT64", "Number of the newest run on that state"),
    nullable("state_checkpoint", "INT64", "Number of a recent checkpoint of that state"),
    nullable("claim", "STRING", "Random id of the statement that created the row"),
    nullable("lease_run", "STRING", "Id of the run that holds the lease; null when no run does"),
    nullable("lease_holder", "STRING", "Host and process of that run"),
    nullable("lease_taken_at", "TIMESTAMP", "When that run took the lease"),
    nullable("lease_expires_at", "TIMESTAMP", "Another run may take the lease from then on"),
    nullable(
      "watermark",
      "TIMESTAMP",
      "The numbers contain all events that were published until then; null: not known, as on Dataflow",
    ),
  ],
  partitionBy: "created_at",
};

/** What the numbers of a row are of, in the tables of breakdowns. */
const valueColumns = [
  required("dimension", "STRING", "Such as country or properties.plan; (all) for the numbers of all events"),
  required("value", "STRING", "Value of the dimension, cut to 256 characters; (none) for events without one"),
  required("events", "INT64", "Distinct events"),
];

/** What a refresh tells about a row, in the tables of breakdowns. */
const refreshColumns = [
  required("refreshed_at", "TIMESTAMP", "Start of the refresh that wrote the row"),
  required("written_date", "DATE", "UTC day of refreshed_at. The partition of the row"),
  nullable("source_rows", "STRING", "Rows of events by received_date that were counted; only in rows of (all)"),
  nullable("source_links", "INT64", "Links of the anonymous ids of the day that were counted; only in rows of (all)"),
];

const refreshLayout = { partitionBy: "written_date", clusterBy: ["generation", "dimension", "date"] } as const;

/** Written with SQL only, by `eventlogger refresh`: one statement replaces the rows of a day. */
export const dailyBreakdownsTable: Table = {
  name: "daily_breakdowns",
  description: "Events, persons and sessions of each day by the values of dimensions (see the view breakdowns)",
  columns: [
    generationColumn,
    required("date", "DATE", "Day in the time zone of the generation"),
    ...valueColumns,
    required("persons", "INT64", "Persons with such an event"),
    required("sessions", "INT64", "Sessions of the day with such an event"),
    required("rank", "INT64", "1 for the value with most events; values with equally many in order of their text"),
    required("persons_below", "INT64", "Persons of the day with an event whose value has a greater rank"),
    required("sessions_below", "INT64", "Sessions of the day with an event whose value has a greater rank"),
    ...refreshColumns,
  ],
  ...refreshLayout,
};

/** As {@link dailyBreakdownsTable}. */
export const hourlyEventsTable: Table = {
  name: "hourly_events",
  description: "Events, persons and sessions of each hour by the values of dimensions (see the view hours)",
  columns: [
    generationColumn,
    required("date", "DATE", "Day in the time zone of the generation"),
    required("hour", "TIMESTAMP", "Start of the hour; hours are counted from the start of the day"),
    ...valueColumns,
    required("persons", "INT64", "Persons with such an event in the hour"),
    required("sessions", "INT64", "Sessions of the day with such an event in the hour"),
    ...refreshColumns,
  ],
  ...refreshLayout,
};

/** As {@link dailyBreakdownsTable}; rows are only added. */
export const anonymousActivityTable: Table = {
  name: "anonymous_activity",
  description: "Days and users of anonymous ids, as hashes, from which `eventlogger refresh` knows who a person is",
  columns: [
    required("generation", "INT64", "The generation whose days these are"),
    required("date", "DATE", "A day of the anonymous id, in the time zone of the generation"),
    required("anonymous_id", "STRING", "Hash of the anonymous id"),
    nullable("user_id", "STRING", "Hash of a user id that was seen with it that day; null: seen without one"),
    required("written_date", "DATE", "UTC day of writing. The partition of the row"),
  ],
  partitionBy: "written_date",
  clusterBy: ["generation", "date"],
};

export const tables: readonly Table[] = [
  eventsTable,
  dailyRollupVersionsTable,
  deadLettersTable,
  acceptedIdsTable,
  generationsTable,
  weeklyRetentionVersionsTable,
  dailyBreakdownsTable,
  hourlyEventsTable,
  anonymousActivityTable,
];

export const tableByName: { readonly [T in TableName]: Table } = {
  events: eventsTable,
  daily_rollup_versions: dailyRollupVersionsTable,
  weekly_retention_versions: weeklyRetentionVersionsTable,
  dead_letters: deadLettersTable,
  accepted_ids: acceptedIdsTable,
};
