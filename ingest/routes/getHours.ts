import type { Middleware } from "koa";
import { dayToIso } from "@eventlogger/events/day";
import type { HourNumbers, Hours } from "@eventlogger/gcp/bigquery/breakdowns/breakdown";
import { hoursTable } from "@eventlogger/gcp/bigquery/statistics/breakdownTable";
import { admit, type AdmissionCheck } from "../access/admission";
import type { RollupCache } from "../rollups/rollupCache";
import { generationOf, type AnsweredGeneration } from "./answeredGeneration";
import { answerCsv, answerFormat, answerJson, FORMAT_PARAMETER } from "./answers/answerFormat";
import { parseDayParameter } from "./dateRange";
import { refuseUnknownParameters } from "./parameters";

/** What `GET /hours/` reads. */
export interface HoursRequest {
  /** YYYY-MM-DD; undefined: today in the time zone of the numbers. */
  readonly date: string | undefined;
}

export interface HoursAnswer extends AnsweredGeneration {
  /** ISO 8601. */
  readonly as_of: string;
  /** Start of the last complete refresh, ISO 8601; null before the first one. */
  readonly refreshed_at: string | null;
  /** YYYY-MM-DD. */
  readonly date: string;
  /** The dimensions that `GET /breakdowns/` has. Empty before the first refresh. */
  readonly dimensions: readonly string[];
  readonly hours: readonly HourNumbers[];
}

/** `GET /hours/`: the hours of today, or of `?date=`. @param check undefined when anybody may read */
export function createGetHours(
  hours: Pick<RollupCache<Hours, HoursRequest>, "get">,
  check: AdmissionCheck | undefined,
): Middleware {
  return async function getHours(ctx) {
    admit(ctx, check);
    const query = new URLSearchParams(ctx.querystring);
    refuseUnknownParameters(query, ["date", FORMAT_PARAMETER]);
    const format = answerFormat(ctx, query);
    const day = parseDayParameter(query, "date");
    const found = await hours.get({ date: day === undefined ? undefined : dayToIso(day) });
    if (format === "csv") return answerCsv(ctx, `hours_${found.date}`, hoursTable(found));
    const body: HoursAnswer = {
      ...generationOf(found.definitions),
      as_of: found.asOf.toISOString(),
      refreshed_at: found.refreshedAt,
      ...{ date: found.date, dimensions: found.dimensions, hours: found.hours },
    };
    answerJson(ctx, body);
  };
}
