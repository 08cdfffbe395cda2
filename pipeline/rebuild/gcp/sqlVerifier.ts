import type { BigQuery } from "@google-cloud/bigquery";
import { timeZoneOf, type Generation } from "@eventlogger/gcp/bigquery/generations";
import { readHorizon } from "@eventlogger/gcp/bigquery/retention/horizon";
import { tableReference } from "@eventlogger/gcp/bigquery/views";
import { eventsTable } from "@eventlogger/gcp/bigquery/tables";
import { compareWithRawEvents } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import { MeteredQueries } from "@eventlogger/gcp/bigquery/verify/meteredQueries";
import { dateIn } from "@eventlogger/gcp/bigquery/zone/zoneRules";
import { unexplainedDifferences } from "../inFlight";
import type { Verifier } from "../services";

/** Compares the numbers of a generation with the raw rows by SQL, with a tolerance for events in flight. */
export function sqlVerifier(bigquery: BigQuery, dataset: string): Verifier {
  return {
    async compare(generation, { inFlightSinceMs, days }) {
      const queries = new MeteredQueries(bigquery);
      const { generation: id, settings } = generation;
      const { sessionGapMs } = settings;
      const names = { project: bigquery.projectId, dataset, generation: id, timeZone: timeZoneOf(settings) };
      const scope = { ...names, days, recordDays: [], hasRecord: false };
      // Reads the numbers before the raw rows: then events in flight are in the rows, where they are counted below.
      const all = await compareWithRawEvents(queries, scope, sessionGapMs);
      if (all.differences.length === 0) return { ...all, unexplained: [] };
      // Rows can have been deleted after they were replayed.
      const horizon = await readHorizon(bigquery, dataset, names.timeZone);
      const { differences, equalDays } = horizon
        ? await compareWithRawEvents(queries, scope, sessionGapMs, horizon)
        : all;
      const inFlight = await eventsSince(queries, bigquery, dataset, generation, inFlightSinceMs);
      return { equalDays, differences, unexplained: unexplainedDifferences(differences, inFlight, sessionGapMs) };
    },
  };
}

/** Number of events that were received since a time, by their day in the time zone of a generation. */
async function eventsSince(
  queries: MeteredQueries,
  bigquery: BigQuery,
  dataset: string,
  { settings }: Generation,
  sinceMs: number,
): Promise<Map<string, number>> {
  const since = new Date(sinceMs).toISOString();
  const rows = await queries.run(
    `SELECT ${dateIn(timeZoneOf(settings), "event_time")} AS date, COUNT(DISTINCT event_id) AS n
     FROM ${tableReference(bigquery.projectId, dataset, eventsTable.name)}
     WHERE received_date >= DATE '${since.slice(0, 10)}' AND received_at >= TIMESTAMP '${since}'
     GROUP BY 1`,
  );
  return new Map(rows.map((row) => [row.text("date"), row.number("n")]));
}
