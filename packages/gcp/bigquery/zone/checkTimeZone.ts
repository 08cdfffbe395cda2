import { dayFromCalendar, dayOf } from "@eventlogger/events/day";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { NO_DIAGNOSTICS, problem, type Diagnostics } from "../../diagnostics";
import { differingDays, tzdataOfNode, type RunQuery } from "./zoneRules";

/** First day that is checked, the default of `--earliest-event`. */
const FIRST_DAY = dayFromCalendar(2010, 1, 1) as number;
/** Days of the future that are checked. */
const DAYS_AHEAD = 366;
/** Days that a warning names. */
const MAX_NAMED = 5;

/** The words for days whose start differs. @param days YYYY-MM-DD, at least one */
export function zoneDifference(timeZone: string, days: readonly string[]): string {
  const named = days.slice(0, MAX_NAMED).join(", ") + (days.length > MAX_NAMED ? ", …" : "");
  return (
    `The rules of ${timeZone} differ between this Node.js (tz database ${tzdataOfNode()}) and BigQuery: ` +
    `${days.length === 1 ? "a day starts" : `${days.length} days start`} at another time (${named})`
  );
}

/**
 * Checks that BigQuery knows a time zone, and that it has the same days as this Node.js from 2010 until a year from now.
 * Reads no table. A difference is a warning, because it only matters for events close to those midnights.
 * @param timeZone IANA name that this Node.js knows
 * @throws Error of the BigQuery client for any error but an unknown zone
 */
export async function checkTimeZone(run: RunQuery, timeZone: string): Promise<Diagnostics> {
  const zone = TimeZone.of(timeZone);
  if (zone === TimeZone.UTC) return NO_DIAGNOSTICS;
  try {
    const last = dayOf(Date.now()) + DAYS_AHEAD;
    const days = await differingDays(run, zone, FIRST_DAY, last);
    if (days.length === 0) return NO_DIAGNOSTICS;
    const advice = "Update Node.js, or expect that `verify` reports differences for events close to these midnights";
    return { problems: [], warnings: [`${zoneDifference(timeZone, days)}. ${advice}`] };
  } catch (error) {
    if (!/invalid time zone/i.test(String(error))) throw error;
    return problem(`BigQuery does not know the time zone ${timeZone}. Use another name of the zone (--time-zone)`);
  }
}
