import type { Middleware } from "koa";
import type {
  Breakdown,
  BreakdownTotals,
  BreakdownValue,
  OtherValues,
} from "@eventlogger/gcp/bigquery/breakdowns/breakdown";
import type { BreakdownRequest } from "@eventlogger/gcp/bigquery/breakdowns/readBreakdown";
import { dimensionProblem } from "@eventlogger/gcp/bigquery/breakdowns/dimensions";
import { breakdownTable } from "@eventlogger/gcp/bigquery/statistics/breakdownTable";
import { zoneOf } from "@eventlogger/gcp/bigquery/rollupDefinitions";
import { admit, type AdmissionCheck } from "../access/admission";
import type { RollupCache, Snapshot } from "../rollups/rollupCache";
import { generationOf, type AnsweredGeneration } from "./answeredGeneration";
import { answerCsv, answerFormat, answerJson, FORMAT_PARAMETER } from "./answers/answerFormat";
import { parseDateRange, type RequestedDays } from "./dateRange";
import { refusal, singleParameter, unexpectedValue } from "./parameters";

/** Number of values without `limit`. */
export const DEFAULT_VALUES = 10;
/** Maximum of `limit`. */
export const MAX_VALUES = 1000;

export interface BreakdownAnswer extends AnsweredGeneration {
  /** ISO 8601. */
  readonly as_of: string;
  /** Start of the last complete refresh, ISO 8601; null before the first one. */
  readonly refreshed_at: string | null;
  readonly dimension: string;
  /** The dimensions that are computed. Empty before the first refresh. */
  readonly dimensions: readonly string[];
  /** YYYY-MM-DD. */
  readonly from: string;
  readonly to: string;
  readonly totals: BreakdownTotals;
  readonly values: readonly BreakdownValue[];
  readonly other: OtherValues;
}

/** @throws RequestError INVALID_PARAMETER */
function parseLimit(query: URLSearchParams): number {
  const text = singleParameter(query, "limit");
  if (text === undefined) return DEFAULT_VALUES;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_VALUES) return limit;
  throw unexpectedValue("limit", `a whole number from 1 to ${MAX_VALUES}`, text);
}

/** @throws RequestError INVALID_PARAMETER */
function parseDimension(query: URLSearchParams): string {
  const dimension = singleParameter(query, "dimension");
  if (dimension === undefined)
    throw refusal("dimension", "is required: the dimension whose values are counted, such as country");
  const problem = dimensionProblem(dimension);
  if (problem !== undefined) throw refusal("dimension", problem);
  return dimension;
}

type BreakdownCache = Pick<RollupCache<Breakdown, BreakdownRequest>, "get">;

/** The days depend on the time zone of the numbers, which only the answer has: reads again when they are others than in UTC. */
async function readInZone(
  breakdowns: BreakdownCache,
  request: Omit<BreakdownRequest, "range">,
  requested: RequestedDays,
): Promise<Snapshot<Breakdown>> {
  const found = await breakdowns.get({ ...request, range: requested.inZone(zoneOf(undefined)) });
  const range = requested.inZone(zoneOf(found.definitions));
  const isRight = range.from === found.range.from && range.to === found.range.to;
  return isRight ? found : breakdowns.get({ ...request, range });
}

/**
 * `GET /breakdowns/?dimension=country`: the values of a dimension with most events in the last 90 days, or in `from` to `to`.
 * @param check undefined when anybody may read
 */
export function createGetBreakdowns(breakdowns: BreakdownCache, check: AdmissionCheck | undefined): Middleware {
  return async function getBreakdowns(ctx) {
    admit(ctx, check);
    const query = new URLSearchParams(ctx.querystring);
    const requested = parseDateRange(query, Date.now(), ["dimension", "limit", FORMAT_PARAMETER]);
    const format = answerFormat(ctx, query);
    const [dimension, limit] = [parseDimension(query), parseLimit(query)];
    const found = await readInZone(breakdowns, { dimension, limit }, requested);
    const { dimensions, range, totals, values, other } = found;
    if (dimensions.length > 0 && !dimensions.includes(dimension)) {
      throw refusal(
        "dimension",
        `${JSON.stringify(dimension)} is not computed: the dimensions are ${dimensions.join(", ")}`,
      );
    }
    if (format === "csv") {
      return answerCsv(ctx, `${dimension.replace(/\W/g, "-")}_${range.from}_${range.to}`, breakdownTable(found));
    }
    const body: BreakdownAnswer = {
      ...generationOf(found.definitions),
      as_of: found.asOf.toISOString(),
      refreshed_at: found.refreshedAt,
      ...{ dimension, dimensions, from: range.from, to: range.to, totals, values, other },
    };
    answerJson(ctx, body);
  };
}
