import type { TableMetadata } from "@google-cloud/bigquery";
import { dayFromIso, dayOf, dayToIso, DAY_MS } from "@eventlogger/events/day";

/**
 * Label of the table `events`: the first day of receipt whose rows are all there, after partitions were deleted by a retention
 * that no longer applies, or by hand.
 */
export const COMPLETE_SINCE_LABEL = "eventlogger_complete_since";

/** What the metadata of the table `events` say about deleted rows. */
export interface EventRetention {
  /** Age at which a partition expires, counted from its end; ms. Undefined: partitions do not expire. */
  readonly expirationMs: number | undefined;
  /** YYYY-MM-DD; rows received before were deleted earlier. Undefined: none were. */
  readonly completeSince: string | undefined;
}

/** The retention of the table `events`, from its metadata. */
export function eventRetention({ timePartitioning, labels }: TableMetadata): EventRetention {
  const expirationMs = Number(timePartitioning?.expirationMs ?? 0);
  const label: unknown = (labels as Readonly<Record<string, unknown>> | undefined)?.[COMPLETE_SINCE_LABEL];
  return {
    expirationMs: expirationMs > 0 ? expirationMs : undefined,
    completeSince: typeof label === "string" && dayFromIso(label) !== undefined ? label : undefined,
  };
}

/**
 * The first day of receipt whose rows are certainly all in `events`; undefined when no rows were deleted. BigQuery deletes a
 * partition when the retention has passed since the *end* of its day in UTC
 * (https://cloud.google.com/bigquery/docs/managing-partitioned-tables#partition-expiration). This function counts from the start of
 * the day, so that the day stays complete for 24 more hours, while queries run.
 * @param nowMs epoch milliseconds
 * @returns YYYY-MM-DD
 */
export function completeSince(
  { expirationMs, completeSince: labelled }: EventRetention,
  nowMs: number,
): string | undefined {
  if (expirationMs === undefined) return labelled;
  const expired = dayOf(nowMs - expirationMs);
  const byRetention = dayToIso(Math.max(0, expired + 1));
  return labelled !== undefined && labelled > byRetention ? labelled : byRetention;
}

/** A retention for people: `30 days`. */
export function describeRetention(expirationMs: number): string {
  const days = Math.round((expirationMs / DAY_MS) * 10) / 10;
  return `${days} day${days === 1 ? "" : "s"}`;
}
