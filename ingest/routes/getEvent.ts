import type { Middleware } from "koa";
import { dayFromIso, dayToDdMmYyyy } from "@eventlogger/events/day";
import type { DailyRollup, DailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import { zoneOf } from "@eventlogger/gcp/bigquery/rollupDefinitions";
import { admit, type AdmissionCheck } from "../access/admission";
import { parseDateRange } from "./dateRange";
import { generationOf, type AnsweredGeneration } from "./answeredGeneration";
import type { RollupCache } from "../rollups/rollupCache";

/** One day in the answer; `date` is `dd/mm/yyyy`. */
export interface DailyStats {
  readonly date: string;
  readonly average_session_duration_min: number;
  readonly average_session_duration_sec: number;
  readonly active_user_count: number;
  readonly new_user_count: number;
  readonly session_count: number;
  /** Persons who were active on at least one of the 7 days that end with this day. */
  readonly weekly_active_user_count: number;
  /** The same of 30 days. */
  readonly monthly_active_user_count: number;
  /** Those of active_user_count without a user id. */
  readonly anonymous_user_count: number;
  /** Persons whose events of the day are all of bots. */
  readonly bot_user_count: number;
  readonly bot_session_count: number;
}

export interface EventStatistics extends AnsweredGeneration {
  /** Persons over all accepted events, not only in the requested range. */
  readonly total_users: number;
  readonly daily_stats: readonly DailyStats[];
  /** ISO 8601. */
  readonly as_of: string;
  /** Seconds; null before the first start of the pipeline. */
  readonly session_gap: number | null;
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
    weekly_active_user_count: day.wau,
    monthly_active_user_count: day.mau,
    anonymous_user_count: day.anonymous_user_count,
    bot_user_count: day.bot_user_count,
    bot_session_count: day.bot_session_count,
  };
}

/** `GET /event/`: the daily rollups of the last 90 days, or of `?from=&to=`. @param check undefined when anybody may read */
export function createGetEvent(
  rollups: Pick<RollupCache<DailyRollups>, "get">,
  check: AdmissionCheck | undefined,
): Middleware {
  return async function getEvent(ctx) {
    admit(ctx, check);
    const requested = parseDateRange(new URLSearchParams(ctx.querystring), Date.now());
    const { total_users, days, definitions, asOf } = await rollups.get(requested.widest);
    const { from, to } = requested.inZone(zoneOf(definitions));
    const body: EventStatistics = {
      total_users,
      daily_stats: days.filter(({ date }) => date >= from && date <= to).map(dailyStats),
      as_of: asOf.toISOString(),
      ...generationOf(definitions),
      session_gap: definitions ? definitions.sessionGapMs / 1000 : null,
    };
    ctx.set("Cache-Control", "no-cache");
    ctx.body = body;
  };
}
