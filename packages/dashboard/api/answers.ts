/** The answers of ingest that the dashboard reads: see docs/http-api.md. Times are ISO 8601. */

/** The generation of all numbers in an answer, and when they were read. */
export interface Answered {
  /** Null before the first start of the pipeline. */
  readonly generation: number | null;
  /** IANA name of the time zone of the days. */
  readonly time_zone: string | null;
  readonly as_of: string;
}

/** The numbers of one day of `GET /event/`. */
export interface DayStats {
  /** `dd/mm/yyyy` or `YYYY-MM-DD`. */
  readonly date: string;
  readonly average_session_duration_sec: number;
  readonly active_user_count: number;
  readonly new_user_count: number;
  readonly session_count: number;
  readonly weekly_active_user_count: number;
  readonly monthly_active_user_count: number;
  /** Sum over the sessions of the day. */
  readonly session_duration_ms: number;
}

/** `GET /event/`. */
export interface EventAnswer extends Answered {
  readonly total_users: number;
  readonly daily_stats: readonly DayStats[];
  /** The time up to which the pipeline has read all events; null when it does not report one. */
  readonly watermark?: string | null;
}

/** The persons whose first day is in one week. */
export interface Cohort {
  /** `YYYY-MM-DD`, a Monday. */
  readonly week: string;
  readonly size: number;
  /** Persons who were active in the first week, in the week after it, and so on. */
  readonly retained: readonly number[];
}

/** `GET /retention/`. */
export interface RetentionAnswer extends Answered {
  readonly cohorts: readonly Cohort[];
}

/** The numbers of a value, or of all values. Null where a number is not known exactly. */
export interface BreakdownNumbers {
  readonly events: number;
  readonly sessions: number | null;
  /** Sum of the persons of each day. */
  readonly person_days: number | null;
  /** Distinct persons; null for more than one day. */
  readonly persons: number | null;
}

/** A value of a dimension. */
export interface BreakdownValue extends BreakdownNumbers {
  readonly value: string;
}

/** `GET /breakdowns/`. */
export interface BreakdownAnswer extends Answered {
  /** Null before the first refresh. */
  readonly refreshed_at: string | null;
  readonly dimension: string;
  readonly dimensions: readonly string[];
  readonly totals: BreakdownNumbers;
  readonly values: readonly BreakdownValue[];
  readonly other: BreakdownNumbers & { readonly value_count: number };
}

/** The numbers of one hour of a day. */
export interface HourStats {
  /** The start of the hour, with the offset of the zone. */
  readonly hour: string;
  readonly events: number;
  readonly persons: number;
  readonly sessions: number;
}

/** `GET /hours/`. */
export interface HoursAnswer extends Answered {
  readonly refreshed_at: string | null;
  /** `YYYY-MM-DD`. */
  readonly date: string;
  /** The dimensions that breakdowns have. Empty before the first refresh. */
  readonly dimensions: readonly string[];
  readonly hours: readonly HourStats[];
}
