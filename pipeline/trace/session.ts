import type { BigQuery } from "@google-cloud/bigquery";
import { dayOf, dayToIso, timeToIso } from "@eventlogger/events/day";
import type { TimeZone } from "@eventlogger/events/zone/timeZone";
import { streamQuery } from "@eventlogger/gcp/bigquery/query";
import { eventsTable } from "@eventlogger/gcp/bigquery/tables";
import { tableReference } from "@eventlogger/gcp/bigquery/views";
import type { TracedRow, TracedSession } from "./trace";

/** Events at one moment. */
interface Moment {
  /** Epoch milliseconds. */
  readonly ms: number;
  /** Different event ids. */
  readonly events: number;
}

interface Run {
  first: number;
  last: number;
  events: number;
}

/**
 * The maximal run of moments, less than the gap apart, that contains a moment.
 * @param moments in the order of time
 * @returns undefined when no moment is the wanted one
 */
export async function runAround(
  moments: AsyncIterable<Moment> | Iterable<Moment>,
  wanted: number,
  gapMs: number,
): Promise<Run | undefined> {
  let run: Run | undefined;
  for await (const { ms, events } of moments) {
    if (!run || ms - run.last >= gapMs) {
      if (run && run.last >= wanted) break;
      run = { first: ms, last: ms, events: 0 };
    }
    run.last = ms;
    run.events += events;
  }
  return run && run.first <= wanted && wanted <= run.last ? run : undefined;
}

export interface SessionDefinition {
  readonly zone: TimeZone;
  readonly gapMs: number;
  /** First UTC day of receipt of the rows that are read; YYYY-MM-DD. */
  readonly since: string;
}

/** The session of an event: the events of its session id, day and class (bots or people) that are less than the gap apart. */
export async function readSession(
  bigquery: BigQuery,
  dataset: string,
  row: TracedRow,
  { zone, gapMs, since }: SessionDefinition,
): Promise<TracedSession | null> {
  const time = Date.parse(row.event_time);
  const day = zone.dayOf(time);
  const [from, to] = [zone.startOfDay(day), zone.startOfDay(day + 1)].map((ms) => dayToIso(dayOf(ms)));
  const rows = streamQuery(
    bigquery,
    `SELECT UNIX_MILLIS(event_time) AS ms, COUNT(DISTINCT event_id) AS events
FROM ${tableReference(bigquery.projectId, dataset, eventsTable.name)}
WHERE received_date >= DATE '${since}' AND event_date BETWEEN DATE '${from}' AND DATE '${to}' AND session_id = @sessionId
  AND IFNULL(is_bot, FALSE) = ${row.is_bot ? "TRUE" : "FALSE"}
GROUP BY ms ORDER BY ms`,
    { sessionId: row.session_id },
  );
  async function* ofDay(): AsyncGenerator<Moment> {
    for await (const found of rows) {
      const ms = found.number("ms");
      if (zone.dayOf(ms) === day) yield { ms, events: found.number("events") };
    }
  }
  const run = await runAround(ofDay(), time, gapMs);
  if (!run) return null;
  const { first, last, events } = run;
  return {
    sessionId: row.session_id,
    firstEventTime: timeToIso(first),
    lastEventTime: timeToIso(last),
    durationMs: last - first,
    events,
  };
}
