import type { BigQuery } from "@google-cloud/bigquery";
import { countsPersons, timeZoneOf, type Generation } from "@eventlogger/gcp/bigquery/generations";
import type { ResultRow } from "@eventlogger/gcp/bigquery/query";
import { readHorizon } from "@eventlogger/gcp/bigquery/retention/horizon";
import { tableReference } from "@eventlogger/gcp/bigquery/views";
import { eventsTable } from "@eventlogger/gcp/bigquery/tables";
import { compareWithRawEvents } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import { MeteredQueries } from "@eventlogger/gcp/bigquery/verify/meteredQueries";
import { MAX_LINKED_USERS } from "@eventlogger/gcp/bigquery/verify/personDays";
import { dateIn } from "@eventlogger/gcp/bigquery/zone/zoneRules";
import { unexplainedDifferences, type InFlight } from "../inFlight";
import type { Verifier } from "../services";

/** Compares the numbers of a generation with the raw rows by SQL, with a tolerance for events in flight. */
export function sqlVerifier(bigquery: BigQuery, dataset: string): Verifier {
  return {
    async compare(generation, { inFlightSinceMs, days }) {
      const queries = new MeteredQueries(bigquery);
      const { generation: id, settings } = generation;
      const { sessionGapMs } = settings;
      const names = { project: bigquery.projectId, dataset, generation: id, timeZone: timeZoneOf(settings) };
      const counting = { countBots: settings.countBots ?? false, countsPersons: countsPersons(settings) };
      const scope = { ...names, ...counting, days, recordDays: [], hasRecord: false };
      // Reads the numbers before the raw rows: then events in flight are in the rows, where they are counted below.
      const all = await compareWithRawEvents(queries, scope, sessionGapMs);
      if (all.differences.length === 0) return { ...all, unexplained: [] };
      // Rows can have been deleted after they were replayed.
      const horizon = await readHorizon(bigquery, dataset, names.timeZone);
      const { differences, equalDays } = horizon
        ? await compareWithRawEvents(queries, scope, sessionGapMs, horizon)
        : all;
      const inFlight = await inFlightSince(queries, bigquery, dataset, generation, inFlightSinceMs);
      return { equalDays, differences, unexplained: unexplainedDifferences(differences, inFlight, sessionGapMs) };
    },
  };
}

/** What was received since a time, by its day in the time zone of a generation. */
async function inFlightSince(
  queries: MeteredQueries,
  bigquery: BigQuery,
  dataset: string,
  { settings }: Generation,
  sinceMs: number,
): Promise<InFlight> {
  const since = new Date(sinceMs).toISOString();
  const events = tableReference(bigquery.projectId, dataset, eventsTable.name);
  const date = dateIn(timeZoneOf(settings), "event_time");
  const received = await queries.run(
    `SELECT ${date} AS date, COUNT(DISTINCT event_id) AS n
     FROM ${events}
     WHERE received_date >= DATE '${since.slice(0, 10)}' AND received_at >= TIMESTAMP '${since}'
     GROUP BY 1`,
  );
  // An anonymous id with a new link counts for at most so many persons before and after it.
  const linked = await queries.run(
    `WITH links AS (
       SELECT anonymous_id, user_id, MIN(received_at) AS linked_at
       FROM ${events}
       WHERE anonymous_id IS NOT NULL AND user_id IS NOT NULL
       GROUP BY 1, 2
     ),
     changed AS (
       SELECT anonymous_id, LEAST(COUNT(*), ${MAX_LINKED_USERS + 1}) AS persons
       FROM links
       GROUP BY 1
       HAVING MAX(linked_at) >= TIMESTAMP '${since}'
     )
     SELECT date, SUM(persons) AS n
     FROM (SELECT DISTINCT anonymous_id, ${date} AS date FROM ${events} WHERE anonymous_id IS NOT NULL) AS days
     JOIN changed ON changed.anonymous_id = days.anonymous_id
     GROUP BY 1`,
  );
  const byDate = (rows: readonly ResultRow[]): ReadonlyMap<string, number> =>
    new Map(rows.map((row) => [row.text("date"), row.number("n")]));
  return { events: byDate(received), linked: byDate(linked) };
}
