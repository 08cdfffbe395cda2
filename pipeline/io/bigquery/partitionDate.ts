import { dayOf, dayToIso } from "@eventlogger/events/day";

/** BigQuery accepts 1,825 days. The difference is for rows that wait, and for clocks that differ. */
const MAX_DAYS_BACK = 1800;
/** BigQuery accepts 366 days. */
const MAX_DAYS_AHEAD = 340;

/**
 * The partition of a row: the UTC day of a time, so that a repeated row has the same one. When BigQuery does not accept
 * streamed rows of that day, because a publisher claims a wrong time of receipt, it is today.
 * @param timeMs epoch milliseconds
 * @param nowMs epoch milliseconds. @default the clock
 * @returns YYYY-MM-DD
 */
export function partitionDate(timeMs: number, nowMs = Date.now()): string {
  const day = dayOf(timeMs);
  const today = dayOf(nowMs);
  return dayToIso(day >= today - MAX_DAYS_BACK && day <= today + MAX_DAYS_AHEAD ? day : today);
}
