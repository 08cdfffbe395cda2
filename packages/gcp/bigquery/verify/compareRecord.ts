import { HASH_DIGITS, SAMPLE_SIZE } from "@eventlogger/events/accepted/acceptedIds";
import type { ResultRow } from "../query";
import { acceptedIdsTable, deadLettersTable, eventsTable } from "../tables";
import { REFUSED_EVENT_ID, REFUSED_EVENTS } from "./deadLetters";
import type { MeteredQueries } from "./meteredQueries";
import { onDays, table, type Scope } from "./scope";

/** Missing events of a day that are listed, of each kind. */
const MAX_EXAMPLES = 5;

/** Accepted events of one day that the table `events` lacks. */
export interface MissingEvents {
  /** YYYY-MM-DD; the day of the events. */
  readonly date: string;
  /** Number of events in the record. */
  readonly recorded: number;
  /** Number of those that are not in `events`. */
  readonly missing: number;
  /** Number of the missing ones that BigQuery refused. They are in `dead_letters`. */
  readonly refused: number;
  /** event_id of some of the refused ones. */
  readonly refusedIds: readonly string[];
  /** Hashes of some of the others: `SUBSTR(TO_HEX(SHA256(event_id)), 1, 12)`. Their ids are in no table. */
  readonly untracedHashes: readonly string[];
}

/** Events of one day that the record lacks, because they were accepted before the record began. */
export interface UncoveredDay {
  /** YYYY-MM-DD; the day of the events. */
  readonly date: string;
  /** At least as many events are not in the record. */
  readonly events: number;
}

export interface RecordComparison {
  /** Whether the dataset has the table of the record. A dataset of an earlier release lacks it until `setup`. */
  readonly exists: boolean;
  /** YYYY-MM-DD; the day on which the first hashes were written. Undefined when there are none. */
  readonly beganOn: string | undefined;
  /** Number of recorded events that were compared. */
  readonly recorded: number;
  /** Sorted by date. */
  readonly missing: readonly MissingEvents[];
  /** Sorted by date. */
  readonly uncovered: readonly UncoveredDay[];
}

const HASH_OF_EVENT = `SUBSTR(TO_HEX(SHA256(event_id)), 1, ${HASH_DIGITS})`;

/**
 * Tables for WITH: `recorded` and `stored` are the sets of hashes of the record and of `events`, `refused` those of the
 * events that BigQuery refused.
 */
function setsSql(scope: Scope): string {
  return `
recorded AS (
  SELECT DISTINCT event_date AS date, hash
  FROM ${table(scope, acceptedIdsTable)}, UNNEST(SPLIT(hashes, ',')) AS hash
  WHERE ${onDays(scope.recordDays, "event_date")}
),
stored AS (
  SELECT DISTINCT event_date AS date, ${HASH_OF_EVENT} AS hash
  FROM ${table(scope, eventsTable)}
  WHERE ${onDays(scope.recordDays, "event_date")}
),
refused AS (
  SELECT ${HASH_OF_EVENT} AS hash, MIN(event_id) AS event_id
  FROM (SELECT ${REFUSED_EVENT_ID} AS event_id FROM ${table(scope, deadLettersTable)} WHERE ${REFUSED_EVENTS})
  GROUP BY 1
)`;
}

/**
 * SQL that counts per day. The record has the smallest hashes of each shard, which is the first digit of a hash. An event that the
 * record lacks is counted as not recorded when the shard is not full, or when its hash is smaller than the largest in the sample.
 */
function countsSql(scope: Scope): string {
  return `
WITH ${setsSql(scope)},
bounds AS (
  SELECT date, SUBSTR(hash, 1, 1) AS shard, hash AS bound
  FROM (SELECT date, hash, ROW_NUMBER() OVER (PARTITION BY date, SUBSTR(hash, 1, 1) ORDER BY hash) AS place FROM recorded)
  WHERE place = ${SAMPLE_SIZE}
),
both_sides AS (
  SELECT IFNULL(recorded.date, stored.date) AS date, recorded.hash AS recorded_hash, stored.hash AS stored_hash
  FROM recorded
  FULL JOIN stored ON recorded.date = stored.date AND recorded.hash = stored.hash
)
SELECT
  both_sides.date AS date,
  COUNT(recorded_hash) AS recorded,
  COUNTIF(stored_hash IS NULL) AS missing,
  COUNTIF(stored_hash IS NULL AND refused.hash IS NOT NULL) AS refused,
  COUNTIF(recorded_hash IS NULL AND (bound IS NULL OR stored_hash < bound)) AS not_recorded
FROM both_sides
LEFT JOIN refused ON refused.hash = recorded_hash
LEFT JOIN bounds ON bounds.date = both_sides.date AND bounds.shard = SUBSTR(stored_hash, 1, 1)
GROUP BY 1
ORDER BY 1`;
}

/** SQL for examples of missing events: for each day the first refused ones and the first others. */
function examplesSql(scope: Scope): string {
  return `
WITH ${setsSql(scope)},
missing AS (
  SELECT recorded.date, recorded.hash, IFNULL(refused.event_id, '') AS event_id
  FROM recorded
  LEFT JOIN stored ON recorded.date = stored.date AND recorded.hash = stored.hash
  LEFT JOIN refused ON refused.hash = recorded.hash
  WHERE stored.hash IS NULL
)
SELECT date, hash, event_id
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY date, event_id = '' ORDER BY hash) AS place FROM missing)
WHERE place <= ${MAX_EXAMPLES}
ORDER BY date, hash`;
}

/**
 * Compares the record of accepted events with the table `events`. On a day with up to about 125,000 events the record has all of them;
 * of a larger day a sample of at least 131,072. An event that the record lacks is never an error.
 * @param firstCompleteDay YYYY-MM-DD, a UTC day; rows of events of earlier days may be deleted, and are not compared. Undefined: none are
 * @throws Error of the BigQuery client when a query fails
 */
export async function compareRecord(
  queries: MeteredQueries,
  scope: Scope,
  firstCompleteDay?: string,
): Promise<RecordComparison> {
  if (!scope.hasRecord) return { exists: false, beganOn: undefined, recorded: 0, missing: [], uncovered: [] };
  const [began] = await queries.run(
    `SELECT IFNULL(CAST(MIN(written_date) AS STRING), '') AS day FROM ${table(scope, acceptedIdsTable)}`,
  );
  const isComplete = (day: ResultRow): boolean =>
    firstCompleteDay === undefined || day.text("date") >= firstCompleteDay;
  const days = (await queries.run(countsSql(scope))).filter(isComplete);
  const anyMissing = days.some((day) => day.number("missing") > 0);
  const examples = (anyMissing ? await queries.run(examplesSql(scope)) : []).filter(isComplete).map((row) => ({
    date: row.text("date"),
    hash: row.text("hash"),
    eventId: row.text("event_id"),
  }));
  const counts = days.map((row) => ({
    date: row.text("date"),
    recorded: row.number("recorded"),
    missing: row.number("missing"),
    refused: row.number("refused"),
    events: row.number("not_recorded"),
  }));
  return {
    exists: true,
    beganOn: began?.text("day") || undefined,
    recorded: counts.reduce((sum, day) => sum + day.recorded, 0),
    missing: counts
      .filter(({ missing }) => missing > 0)
      .map(({ date, recorded, missing, refused }) => {
        const ofDay = examples.filter((example) => example.date === date);
        return {
          ...{ date, recorded, missing, refused },
          refusedIds: ofDay.filter(({ eventId }) => eventId !== "").map(({ eventId }) => eventId),
          untracedHashes: ofDay.filter(({ eventId }) => eventId === "").map(({ hash }) => hash),
        };
      }),
    uncovered: counts.filter(({ events }) => events > 0).map(({ date, events }) => ({ date, events })),
  };
}
