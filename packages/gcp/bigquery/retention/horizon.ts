import type { BigQuery } from "@google-cloud/bigquery";
import { dayFromIso, dayStart, dayToIso, DAY_MS } from "@eventlogger/events/day";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { timeZoneProblem, UTC_NAME } from "@eventlogger/events/zone/zoneName";
import { runQuery } from "../query";
import { existingTable } from "../setup/existingTable";
import { eventsTable } from "../tables";
import { completeSince, eventRetention } from "./eventRetention";

/**
 * From which day on the raw events can tell what the numbers must be. Rows received before `receivedSince` may be gone.
 *
 * - An event can be received any time after its day, and at most 24 hours before its `event_time`, so at most one day before
 *   its day: see `validateEvent`. Days from `firstCompleteDay` on have all their rows. Their sessions, durations and active users
 *   follow from the rows.
 * - A user of such a day may have been active on earlier days, whose rows are gone. So the rows give only an upper bound for
 *   `new_user_count`, and a lower bound for `total_users`, and for `wau` and `mau` of days soon after it.
 * - An anonymous id of such a day may have been seen with users in rows that are gone.
 * - Of earlier days nothing is known.
 */
export interface Horizon {
  /** YYYY-MM-DD; all rows received on this UTC day and later are in `events`. */
  readonly receivedSince: string;
  /** YYYY-MM-DD; the first day of events whose rows are all in `events`. */
  readonly firstCompleteDay: string;
}

/** First moment of a day; epoch milliseconds. @param day days since 1970-01-01 */
export type StartOfDay = (day: number) => number;

/**
 * @param receivedSince YYYY-MM-DD, a UTC day
 * @param startOf first moment of a day in the time zone of the numbers. @default that in UTC
 */
export function horizonAt(receivedSince: string, startOf: StartOfDay = dayStart): Horizon {
  const received = dayFromIso(receivedSince);
  if (received === undefined) throw new TypeError(`not a day: ${receivedSince}`);
  // An event that happens at least 24 hours after this moment was received after it.
  const complete = dayStart(received) + DAY_MS;
  let day = received;
  while (startOf(day) < complete) day++;
  return { receivedSince, firstCompleteDay: dayToIso(day) };
}

/** The first moment of a day of a zone; a day earlier, before any local midnight, when this Node.js does not know the zone. */
function startOfDay(timeZone: string): StartOfDay {
  if (timeZoneProblem(timeZone) !== undefined) return (day) => dayStart(day - 1);
  const zone = TimeZone.of(timeZone);
  return (day) => zone.startOfDay(day);
}

/**
 * Reads what the table `events` has lost, by BigQuery's clock.
 * @param timeZone IANA name of the zone of the days of the numbers
 * @param aheadMs looks at what it will have lost after this time; ms
 * @returns undefined when no rows were deleted
 * @throws Error that names the missing permission, or the client's error
 */
export async function readHorizon(
  bigquery: BigQuery,
  dataset: string,
  timeZone: string = UTC_NAME,
  aheadMs = 0,
): Promise<Horizon | undefined> {
  const metadata = await existingTable(bigquery, dataset, eventsTable);
  if (!metadata) return undefined;
  const retention = eventRetention(metadata);
  if (retention.expirationMs === undefined && retention.completeSince === undefined) return undefined;
  const since = completeSince(retention, (await bigQueryNow(bigquery)) + aheadMs);
  return since === undefined ? undefined : horizonAt(since, startOfDay(timeZone));
}

/** BigQuery's clock, epoch milliseconds. */
export async function bigQueryNow(bigquery: BigQuery): Promise<number> {
  const [row] = await runQuery(bigquery, "SELECT UNIX_MILLIS(CURRENT_TIMESTAMP()) AS now_ms");
  if (!row) throw new Error("BigQuery did not return its time");
  return row.number("now_ms");
}

/** What a computation of all numbers from the remaining rows gives, one sentence each; for people who start a rebuild. */
export function horizonLines({ receivedSince, firstCompleteDay }: Horizon): string[] {
  return [
    `Rows received before ${receivedSince} have been deleted from the table ${eventsTable.name}, so these numbers will not be exact:`,
    `days before ${firstCompleteDay}: all numbers. They count only events that were received since ${receivedSince}`,
    `days from ${firstCompleteDay} on: new_user_count can be too high, because a user whose earlier events are deleted counts as new`,
    "all days: total_users can be too low, because users without a remaining event are not counted",
    `29 days from ${firstCompleteDay} on: wau and mau can be too low, because earlier active days are deleted`,
    "weekly retention: a user whose earlier events are deleted belongs to a later cohort",
    "an anonymous id whose events with a user are all deleted counts as a person of its own, not as that user",
    `Exact from ${firstCompleteDay} on: session_count and average session durations, and active_user_count of days without anonymous ids`,
  ];
}
