import type { Middleware } from "koa";
import { dayFromIso, dayToDdMmYyyy } from "@eventlogger/events/day";
import type { DailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import { dailyStats, dailyTable, type DailyStats } from "@eventlogger/gcp/bigquery/statistics/dailyStats";
import { zoneOf } from "@eventlogger/gcp/bigquery/rollupDefinitions";
import { admit, type AdmissionCheck } from "../access/admission";
import { answerCsv, answerFormat, answerJson, FORMAT_PARAMETER, type AnswerFormat } from "./answers/answerFormat";
import { parseDateRange } from "./dateRange";
import { generationOf, type AnsweredGeneration } from "./answeredGeneration";
import { choiceParameter, refusal } from "./parameters";
import { MadeAnswers } from "../rollups/madeAnswers";
import type { RollupCache, Snapshot } from "../rollups/rollupCache";

export interface EventStatistics extends AnsweredGeneration {
  /** Persons over all accepted events, not only in the requested range. */
  readonly total_users: number;
  readonly daily_stats: readonly DailyStats[];
  /** ISO 8601. */
  readonly as_of: string;
  /** Seconds; null before the first start of the pipeline. */
  readonly session_gap: number | null;
  /** The numbers contain all events that were published until then; ISO 8601. Null: not known. */
  readonly watermark: string | null;
}

/** `dmy`: dd/mm/yyyy; `iso`: YYYY-MM-DD. */
export const DATE_FORMATS = ["dmy", "iso"] as const;
export type DateFormat = (typeof DATE_FORMATS)[number];

/** The name of the parameter that has the {@link DateFormat}. */
export const DATE_FORMAT_PARAMETER = "date_format";

/** @throws RequestError INVALID_PARAMETER */
function dateFormatOf(query: URLSearchParams, format: AnswerFormat): DateFormat {
  const asked = choiceParameter(query, DATE_FORMAT_PARAMETER, DATE_FORMATS);
  if (asked === undefined) return format === "csv" ? "iso" : "dmy";
  if (format === "csv" && asked === "dmy") {
    throw refusal(DATE_FORMAT_PARAMETER, "must be iso, because dates in CSV are always YYYY-MM-DD");
  }
  return asked;
}

/** @throws Error when the text is not a date */
function isoToDdMmYyyy(iso: string): string {
  const day = dayFromIso(iso);
  if (day === undefined) throw new Error(`BigQuery returned a date that is not YYYY-MM-DD: ${iso}`);
  return dayToDdMmYyyy(day);
}

/** The numbers of a day as the answer has them. */
function answeredDay(day: DailyStats, dates: DateFormat): DailyStats {
  return dates === "iso" ? day : { ...day, date: isoToDdMmYyyy(day.date) };
}

/**
 * `GET /event/`: the daily rollups of the last 90 days, or of `?from=&to=`, as JSON or CSV.
 * @param check undefined when anybody may read
 */
export function createGetEvent(
  rollups: Pick<RollupCache<DailyRollups>, "get">,
  check: AdmissionCheck | undefined,
): Middleware {
  const made = new MadeAnswers<Snapshot<DailyRollups>>();
  return async function getEvent(ctx) {
    admit(ctx, check);
    const query = new URLSearchParams(ctx.querystring);
    const requested = parseDateRange(query, Date.now(), [DATE_FORMAT_PARAMETER, FORMAT_PARAMETER]);
    const format = answerFormat(ctx, query);
    const dates = dateFormatOf(query, format);
    const snapshot = await rollups.get(requested.widest);
    const { total_users, days, definitions, watermark, asOf } = snapshot;
    const { from, to } = requested.inZone(zoneOf(definitions));
    const stats = (): DailyStats[] => days.filter(({ date }) => date >= from && date <= to).map(dailyStats);
    if (format === "csv") return answerCsv(ctx, `daily-rollups_${from}_${to}`, dailyTable(stats()));
    const body = made.of(snapshot, `${from} ${to} ${dates}`, (): EventStatistics => ({
      total_users,
      daily_stats: stats().map((day) => answeredDay(day, dates)),
      as_of: asOf.toISOString(),
      ...generationOf(definitions),
      session_gap: definitions ? definitions.sessionGapMs / 1000 : null,
      watermark,
    }));
    answerJson(ctx, body);
  };
}
