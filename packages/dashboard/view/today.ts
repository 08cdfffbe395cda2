import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { UTC_NAME } from "@eventlogger/events/zone/zoneName";

/** A time zone by its name. UTC when the browser does not know it: then today may begin at another moment. */
export function zoneOf(name: string | null | undefined): TimeZone {
  try {
    return TimeZone.of(name ?? UTC_NAME);
  } catch {
    return TimeZone.UTC;
  }
}

/** The epoch day of a moment in the zone of the numbers. @param iso ISO 8601, by the clock of the service */
export function dayIn(zone: TimeZone, iso: string): number {
  return zone.dayOf(Date.parse(iso));
}
