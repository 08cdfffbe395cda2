import { dayFromIso, dayToIso } from "@eventlogger/events/day";
import type { TimeZone } from "@eventlogger/events/zone/timeZone";
import type { DayRange } from "@eventlogger/gcp/bigquery/dailyRollups";

/** Number of days of a report without `--from`. */
export const DEFAULT_DAYS = 30;

/**
 * The days of a report. Without `to` it ends today in the zone of the numbers; without `from` it has {@link DEFAULT_DAYS} days.
 * @param days YYYY-MM-DD
 * @param now epoch ms
 */
export function reportRange(
  { from, to }: { readonly from?: string | undefined; readonly to?: string | undefined },
  zone: TimeZone,
  now: number,
): DayRange {
  const first = from === undefined ? undefined : dayFromIso(from);
  const last = (to === undefined ? undefined : dayFromIso(to)) ?? Math.max(zone.dayOf(now), first ?? -Infinity);
  return { from: dayToIso(first ?? last - DEFAULT_DAYS + 1), to: dayToIso(last) };
}

/** Every day of a range. */
export function daysOf({ from, to }: DayRange): string[] {
  const [first, last] = [dayFromIso(from) ?? 0, dayFromIso(to) ?? 0];
  return Array.from({ length: last - first + 1 }, (_, i) => dayToIso(first + i));
}
