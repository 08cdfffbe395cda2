import type { Middleware } from "koa";
import { dayFromIso, dayToDdMmYyyy } from "@eventlogger/events/day";
import type { DailyRollup } from "@eventlogger/gcp/bigquery/dailyRollups";
import { admit, type AdmissionCheck } from "../access/admission";
import { parseDateRange } from "./dateRange";
import type { RollupCache } from "../rollups/rollupCache";

/** One day in the answer; `date` is `dd/mm/yyyy`. */
export interface DailyStats {
  readonly date: string;
  readonly average_session_duration_min: number;
  readonly average_session_duration_sec: number;
  readonly active_user_count: number;
  readonly new_user_count: number;
  readonly session_count: number;
}

export interface EventStatistics {
  /** Distinct users over all accepted events, not only in the requested range. */
  readonly total_users: number;
  readonly daily_stats: readonly DailyStats[];
  /** ISO 8601. */
  readonly as_of: string;
}

/** @throws Error when the text is not a date */
function isoToDdMmYyyy(iso: string): string {
  const day = dayFromIso(iso);
  if (day === undefined) throw new Error(`BigQuery returned a date that is not YYYY-MM-DD: ${iso}`);
  return dayToDdMmYyyy(day);
}

function dailyStats(day: DailyRollup): DailyStats {
  return {
    date: isoToDdMmYyyy(day.date),
    average_session_duration_min: day.average_session_duration_min,
    average_session_duration_sec: day.average_session_duration_sec,
    active_user_count: day.active_user_count,
    new_user_count: day.new_user_count,
    session_count: day.session_count,
  };
}

/** `GET /event/`: the daily rollups of the last 90 days, or of `?from=&to=`. @param check undefined when anybody may read */
export function createGetEvent(rollups: Pick<RollupCache, "get">, check: AdmissionCheck | undefined): Middleware {
  return async function getEvent(ctx) {
    admit(ctx, check);
    const range = parseDateRange(new URLSearchParams(ctx.querystring), Date.now());
    const { totalUsers, days, asOf } = await rollups.get(range);
    const body: EventStatistics = {
      total_users: totalUsers,
      daily_stats: days.map(dailyStats),
      as_of: asOf.toISOString(),
    };
    ctx.set("Cache-Control", "no-cache");
    ctx.body = body;
  };
}
