import assert from "node:assert/strict";
import { dayToIso, parseDay } from "@eventlogger/events/day";
import type { ReadReplica } from "@eventlogger/ingest/testing/readReplica";
import type { BreakdownAnswer } from "@eventlogger/ingest/routes/getBreakdowns";
import type { EventStatistics } from "@eventlogger/ingest/routes/getEvent";
import type { HoursAnswer } from "@eventlogger/ingest/routes/getHours";
import type { RetentionStatistics } from "@eventlogger/ingest/routes/getRetention";

async function read<Answer>({ url }: ReadReplica, path: string): Promise<Answer> {
  const response = await fetch(`${url}${path}`);
  assert.equal(response.status, 200, path);
  return (await response.json()) as Answer;
}

/** The daily numbers of a range, by day. */
export async function daysOf(
  replica: ReadReplica,
  from: number,
  to: number,
): Promise<{
  readonly answer: EventStatistics;
  readonly at: (day: number) => EventStatistics["daily_stats"][number] | undefined;
}> {
  const answer = await read<EventStatistics>(replica, `/event/?from=${dayToIso(from)}&to=${dayToIso(to)}`);
  const byDay = new Map(answer.daily_stats.map((stats) => [parseDay(stats.date), stats]));
  return { answer, at: (day) => byDay.get(day) };
}

export function breakdownOf(
  replica: ReadReplica,
  dimension: string,
  from: number,
  to: number,
  limit: number,
): Promise<BreakdownAnswer> {
  return read(replica, `/breakdowns/?dimension=${dimension}&from=${dayToIso(from)}&to=${dayToIso(to)}&limit=${limit}`);
}

export function hoursOf(replica: ReadReplica, day: number): Promise<HoursAnswer> {
  return read(replica, `/hours/?date=${dayToIso(day)}`);
}

export function retentionOf(replica: ReadReplica, from: number, to: number): Promise<RetentionStatistics> {
  return read(replica, `/retention/?from=${dayToIso(from)}&to=${dayToIso(to)}`);
}
