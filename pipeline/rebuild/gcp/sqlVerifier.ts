import type { BigQuery } from "@google-cloud/bigquery";
import { countsPersons, timeZoneOf, type Generation } from "@eventlogger/gcp/bigquery/generations";
import type { ResultRow } from "@eventlogger/gcp/bigquery/query";
import { readHorizon } from "@eventlogger/gcp/bigquery/retention/horizon";
import { tableReference } from "@eventlogger/gcp/bigquery/views";
import { eventsTable } from "@eventlogger/gcp/bigquery/tables";
import { compareWithRawEvents } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import { MeteredQueries } from "@eventlogger/gcp/bigquery/verify/meteredQueries";
import { compareRetentionWithRawEvents } from "@eventlogger/gcp/bigquery/verify/compareRetention";
import type { Scope } from "@eventlogger/gcp/bigquery/verify/scope";
import { MAX_LINKED_USERS } from "@eventlogger/gcp/bigquery/verify/personDays";
import { dateIn } from "@eventlogger/gcp/bigquery/zone/zoneRules";
import { unexplainedDifferences, unexplainedRetention, type InFlight } from "../inFlight";
import type { Verifier } from "../services";

/** Compares the numbers of a generation with the raw rows by SQL, with a tolerance for events in flight. */
export function sqlVerifier(bigquery: BigQuery, dataset: string): Verifier {
  const scopeOf = ({ generation, settings }: Generation, days: readonly string[] | undefined): Scope => ({
    ...{ project: bigquery.projectId, dataset, generation, timeZone: timeZoneOf(settings) },
    ...{ countBots: settings.countBots ?? false, countsPersons: countsPersons(settings) },
    ...{ days, recordDays: [], hasRecord: false },
  });
  return {
    async compare(generation, { inFlightSinceMs, days }) {
      const queries = new MeteredQueries(bigquery);
      const { sessionGapMs } = generation.settings;
      const scope = scopeOf(generation, days);
      // Reads the numbers before the raw rows: then events in flight are in the rows, where they are counted below.
      const all = await compareWithRawEvents(queries, scope, sessionGapMs);
      if (all.differences.length === 0) return { ...all, unexplained: [] };
      // Rows can have been deleted after they were replayed.
      const horizon = await readHorizon(bigquery, dataset, scope.timeZone);
      const { differences, equalDays } = horizon
        ? await compareWithRawEvents(queries, scope, sessionGapMs, horizon)
        : all;
      const inFlight = await inFlightSince(queries, bigquery, dataset, generation, inFlightSinceMs);
      return { equalDays, differences, unexplained: unexplainedDifferences(differences, inFlight, sessionGapMs) };
    },
    async compareRetention(generation, { inFlightSinceMs }) {
      // A generation of an earlier release has no retention.
      if (!countsPersons(generation.settings)) return { equalCohorts: 0, differences: [], unexplained: [] };
      const queries = new MeteredQueries(bigquery);
      const scope = scopeOf(generation, undefined);
      const horizon = await readHorizon(bigquery, dataset, scope.timeZone);
      // It reads the numbers before the raw rows, too.
      const { differences, equalCohorts } = await compareRetentionWithRawEvents(queries, scope, horizon);
      if (differences.length === 0) return { equalCohorts, differences, unexplained: [] };
      const inFlight = await inFlightSince(queries, bigquery, dataset, generation, inFlightSinceMs);
      return { equalCohorts, differences, unexplained: unexplainedRetention(differences, inFlight) };
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
  // Events of an anonymous id count for every user it is linked with, and a new link changes all of its days.
  const linked = await queries.run(
    `WITH links AS (
       SELECT anonymous_id, user_id, MIN(received_at) AS linked_at
       FROM ${events}
       WHERE anonymous_id IS NOT NULL AND user_id IS NOT NULL
       GROUP BY 1, 2
     ),
     linked_ids AS (
       SELECT anonymous_id, LEAST(COUNT(*), ${MAX_LINKED_USERS + 1}) AS persons, MAX(linked_at) AS linked_at
       FROM links
       GROUP BY 1
     ),
     days AS (
       SELECT anonymous_id, ${date} AS date, MAX(received_at) AS received_at
       FROM ${events}
       WHERE anonymous_id IS NOT NULL
       GROUP BY 1, 2
     )
     SELECT date, SUM(persons) AS n
     FROM days
     JOIN linked_ids ON linked_ids.anonymous_id = days.anonymous_id
     WHERE linked_at >= TIMESTAMP '${since}' OR received_at >= TIMESTAMP '${since}'
     GROUP BY 1`,
  );
  const byDate = (rows: readonly ResultRow[]): ReadonlyMap<string, number> =>
    new Map(rows.map((row) => [row.text("date"), row.number("n")]));
  return { events: byDate(received), linked: byDate(linked) };
}
