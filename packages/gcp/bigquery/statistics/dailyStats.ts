import type { ValueTable } from "@eventlogger/events/table/csv";
import type { DailyRollup } from "../dailyRollups";

/** The numbers of one day with the names that readers see, in `GET /event/` and `eventlogger report`. */
export interface DailyStats {
  /** YYYY-MM-DD; in `GET /event/` by default dd/mm/yyyy. */
  readonly date: string;
  readonly average_session_duration_min: number;
  readonly average_session_duration_sec: number;
  readonly active_user_count: number;
  readonly new_user_count: number;
  readonly session_count: number;
  /** Sum of the durations of the sessions: with it, averages of several days are exact. */
  readonly session_duration_ms: number;
  /** Persons who were active on at least one of the 7 days that end with this day. */
  readonly weekly_active_user_count: number;
  /** The same of 30 days. */
  readonly monthly_active_user_count: number;
  /** Those of active_user_count without a user id. */
  readonly anonymous_user_count: number;
  /** Persons whose events of the day are all of bots. */
  readonly bot_user_count: number;
  readonly bot_session_count: number;
  /** When the pipeline made the newest version of these numbers; ISO 8601. */
  readonly updated_at: string;
}

/** The columns of {@link dailyTable}. */
export const DAILY_COLUMNS = [
  "date",
  "average_session_duration_min",
  "average_session_duration_sec",
  "active_user_count",
  "new_user_count",
  "session_count",
  "weekly_active_user_count",
  "monthly_active_user_count",
  "anonymous_user_count",
  "bot_user_count",
  "bot_session_count",
  "updated_at",
] as const satisfies readonly (keyof DailyStats)[];

/** A day of the rollups with the names that readers see. */
export function dailyStats(day: DailyRollup): DailyStats {
  return {
    date: day.date,
    average_session_duration_min: day.average_session_duration_min,
    average_session_duration_sec: day.average_session_duration_sec,
    active_user_count: day.active_user_count,
    new_user_count: day.new_user_count,
    session_count: day.session_count,
    session_duration_ms: day.session_duration_ms,
    weekly_active_user_count: day.wau,
    monthly_active_user_count: day.mau,
    anonymous_user_count: day.anonymous_user_count,
    bot_user_count: day.bot_user_count,
    bot_session_count: day.bot_session_count,
    updated_at: day.updated_at,
  };
}

/** A row for each day. */
export function dailyTable(days: readonly DailyStats[]): ValueTable {
  return { columns: DAILY_COLUMNS, rows: days.map((day) => DAILY_COLUMNS.map((column) => day[column])) };
}
