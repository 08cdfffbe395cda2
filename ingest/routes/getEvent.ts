import type { Middleware } from "koa";
import { dayFromIso, dayToDdMmYyyy } from "@eventlogger/events/day";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { timeZoneProblem, UTC_NAME } from "@eventlogger/events/zone/zoneName";
import type { DailyRollup, RollupDefinitions } from "@eventlogger/gcp/bigquery/dailyRollups";
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
  /** The generation of all numbers in the answer, and its definitions. Null before the first start of the pipeline. */
  readonly generation: number | null;
  /** IANA name of the time zone of the days. */
  readonly time_zone: string | null;
  /** Seconds. */
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
  };
}

/** The zone of the days. UTC when this release of Node.js does not know it: then the default range may end a day early or late. */
function zoneOf(definitions: RollupDefinitions | undefined): TimeZone {
  const name = definitions?.timeZone ?? UTC_NAME;
  return timeZoneProblem(name) === undefined ? TimeZone.of(name) : TimeZone.UTC;
}

/** `GET /event/`: the daily rollups of the last 90 days, or of `?from=&to=`. @param check undefined when anybody may read */
export function createGetEvent(rollups: Pick<RollupCache, "get">, check: AdmissionCheck | undefined): Middleware {
  return async function getEvent(ctx) {
    admit(ctx, check);
    const requested = parseDateRange(new URLSearchParams(ctx.querystring), Date.now());
    const { totalUsers, days, definitions, asOf } = await rollups.get(requested.widest);
    const { from, to } = requested.inZone(zoneOf(definitions));
    const body: EventStatistics = {
      total_users: totalUsers,
      daily_stats: days.filter(({ date }) => date >= from && date <= to).map(dailyStats),
      as_of: asOf.toISOString(),
      generation: definitions?.generation ?? null,
      time_zone: definitions?.timeZone ?? null,
      session_gap: definitions ? definitions.sessionGapMs / 1000 : null,
    };
    ctx.set("Cache-Control", "no-cache");
    ctx.body = body;
  };
}
