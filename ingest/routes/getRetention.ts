import type { Middleware } from "koa";
import type { WeeklyRetention } from "@eventlogger/gcp/bigquery/weeklyRetention";
import { zoneOf } from "@eventlogger/gcp/bigquery/rollupDefinitions";
import { admit, type AdmissionCheck } from "../access/admission";
import type { RollupCache } from "../rollups/rollupCache";
import { generationOf, type AnsweredGeneration } from "./answeredGeneration";
import { parseDateRange } from "./dateRange";

/** The persons whose first day is in one week, in the answer. */
export interface CohortStats {
  /** YYYY-MM-DD; the Monday of the ISO week. */
  readonly week: string;
  /** Number of persons. */
  readonly size: number;
  /** Persons of the cohort who were active in its week, in the week after it, and so on, until the last week with any. */
  readonly retained: readonly number[];
}

export interface RetentionStatistics extends AnsweredGeneration {
  /** ISO 8601. */
  readonly as_of: string;
  readonly cohorts: readonly CohortStats[];
}

/**
 * `GET /retention/`: the weekly retention of the cohorts whose weeks begin in the last 90 days, or in `?from=&to=`.
 * @param check undefined when anybody may read
 */
export function createGetRetention(
  retention: Pick<RollupCache<WeeklyRetention>, "get">,
  check: AdmissionCheck | undefined,
): Middleware {
  return async function getRetention(ctx) {
    admit(ctx, check);
    const requested = parseDateRange(new URLSearchParams(ctx.querystring), Date.now());
    const { cohorts, definitions, asOf } = await retention.get(requested.widest);
    const { from, to } = requested.inZone(zoneOf(definitions));
    const body: RetentionStatistics = {
      ...generationOf(definitions),
      as_of: asOf.toISOString(),
      cohorts: cohorts.filter(({ week }) => week >= from && week <= to),
    };
    ctx.set("Cache-Control", "no-cache");
    ctx.body = body;
  };
}
