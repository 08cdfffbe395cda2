import type { BigQuery } from "@google-cloud/bigquery";
import { dayFromIso, dayToIso } from "@eventlogger/events/day";
import type { TimeZone } from "@eventlogger/events/zone/timeZone";
import { runQuery } from "../query";
import { definitionsOf, definitionsSql, zoneOf } from "../rollupDefinitions";
import { generationsTable, hourlyEventsTable } from "../tables";
import { tableReference } from "../views";
import type { HourNumbers, Hours } from "./breakdown";
import { ALL, REFRESH } from "./dimensions";
import { refreshedOf } from "./refreshState";

const HOUR_MS = 3_600_000;

/**
 * Reads the numbers of each hour of a day.
 * @param date YYYY-MM-DD; undefined: today in the time zone of the active generation
 * @param now epoch ms; the time that decides about today
 * @throws Error of the BigQuery client when the query fails
 */
export async function readHours(
  bigquery: BigQuery,
  dataset: string,
  date: string | undefined,
  now: number = Date.now(),
): Promise<Hours> {
  const reference = (name: string): string => tableReference(bigquery.projectId, dataset, name);
  // Today is one of these three days, in whatever zone.
  const today = Math.floor(now / (24 * HOUR_MS));
  const dates = date === undefined ? [today - 1, today, today + 1].map(dayToIso) : [date];
  const rows = await runQuery(
    bigquery,
    `SELECT ${definitionsSql}, dimension, date, value, UNIX_MILLIS(hour) AS hour_ms, events, persons, sessions,
       UNIX_MILLIS(refreshed_at) AS refreshed_ms
     FROM ${reference(generationsTable.name)} AS active
     LEFT JOIN (
       SELECT * FROM ${reference(hourlyEventsTable.name)}
       WHERE dimension = '${REFRESH}'
         OR dimension = '${ALL}' AND date IN (${dates.map((_, i) => `CAST(@date${i} AS DATE)`).join(", ")})
     ) AS counted ON counted.generation = active.generation
     WHERE status = 'active'`,
    Object.fromEntries(dates.map((one, i) => [`date${i}`, one])),
  );
  const definitions = rows[0] && definitionsOf(rows[0]);
  const zone = zoneOf(definitions);
  const day = date ?? dayToIso(zone.dayOf(now));
  const ofDay = rows.filter((row) => row.textOrNull("dimension") === ALL && row.text("date") === day);
  const numbers = new Map(ofDay.map((row) => [row.number("hour_ms"), row]));
  return {
    definitions,
    ...refreshedOf(rows.filter((row) => row.textOrNull("dimension") === REFRESH)),
    date: day,
    hours: hoursOf(zone, day).map((ms): HourNumbers => {
      const row = numbers.get(ms);
      const count = (column: string): number => row?.number(column) ?? 0;
      return { hour: zone.toIso(ms), events: count("events"), persons: count("persons"), sessions: count("sessions") };
    }),
  };
}

/** Starts of the hours of a day, epoch ms: counted from its first moment. Empty for a day that the zone skipped. */
function hoursOf(zone: TimeZone, date: string): number[] {
  const day = dayFromIso(date);
  if (day === undefined) return [];
  const [start, end] = [zone.startOfDay(day), zone.startOfDay(day + 1)];
  return Array.from({ length: Math.ceil((end - start) / HOUR_MS) }, (_, i) => start + i * HOUR_MS);
}
