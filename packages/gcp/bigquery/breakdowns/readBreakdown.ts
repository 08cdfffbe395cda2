import type { BigQuery } from "@google-cloud/bigquery";
import type { DayRange } from "../dailyRollups";
import { runQuery, type ResultRow } from "../query";
import { definitionsOf, definitionsSql } from "../rollupDefinitions";
import { dailyBreakdownsTable, generationsTable } from "../tables";
import { tableReference } from "../views";
import type { Breakdown, BreakdownTotals, BreakdownValue, OtherValues } from "./breakdown";
import { ALL, REFRESH } from "./dimensions";
import { refreshedOf } from "./refreshState";

export interface BreakdownRequest {
  /** Such as `country` or `properties.plan`. */
  readonly dimension: string;
  readonly range: DayRange;
  /** Number of values that are listed, from 1. */
  readonly limit: number;
}

/**
 * Reads the values of a dimension with most events in a range of days, and the exact numbers of all others together, in one query: see
 * `readDailyRollups`. Without values when the dimension is not one of `dimensions`.
 * @throws Error of the BigQuery client when the query fails
 */
export async function readBreakdown(
  bigquery: BigQuery,
  dataset: string,
  { dimension, range, limit }: BreakdownRequest,
): Promise<Breakdown> {
  const reference = (name: string): string => tableReference(bigquery.projectId, dataset, name);
  const rows = await runQuery(
    bigquery,
    `WITH active AS (
       SELECT generation, settings FROM ${reference(generationsTable.name)} WHERE status = 'active'
     ),
     by_value AS (
       SELECT
         generation, dimension, value, SUM(events) AS events, SUM(sessions) AS sessions, SUM(persons) AS person_days,
         SUM(sessions_below) AS sessions_below, SUM(persons_below) AS persons_below, UNIX_MILLIS(MAX(refreshed_at)) AS refreshed_ms
       FROM ${reference(dailyBreakdownsTable.name)}
       WHERE generation IN (SELECT generation FROM active)
         AND (dimension IN ('${ALL}', @dimension) AND date BETWEEN CAST(@from AS DATE) AND CAST(@to AS DATE) OR dimension = '${REFRESH}')
       GROUP BY generation, dimension, value
     ),
     placed AS (
       SELECT
         *,
         ROW_NUMBER() OVER (PARTITION BY dimension ORDER BY events DESC, value) AS place,
         COUNT(*) OVER (PARTITION BY dimension) AS value_count,
         SUM(events) OVER (PARTITION BY dimension) AS all_events
       FROM by_value
     )
     SELECT ${definitionsSql}, dimension, value, events, sessions, person_days, sessions_below, persons_below, refreshed_ms, value_count,
       all_events
     FROM active
     LEFT JOIN placed ON placed.generation = active.generation
     WHERE dimension IS NULL OR dimension = '${REFRESH}' OR place <= @limit
     ORDER BY dimension, place`,
    { dimension, limit, from: range.from, to: range.to },
  );
  const of = (name: string): ResultRow[] => rows.filter((row) => row.textOrNull("dimension") === name);
  const [refreshed, [all]] = [refreshedOf(of(REFRESH)), of(ALL)];
  const isOneDay = range.from === range.to;
  const found = refreshed.dimensions.includes(dimension) ? of(dimension) : [];
  return {
    definitions: rows[0] && definitionsOf(rows[0]),
    ...refreshed,
    ...{ dimension, range },
    totals: all ? totalsOf(all, isOneDay) : { events: 0, sessions: 0, person_days: 0, persons: isOneDay ? 0 : null },
    values: found.map((row): BreakdownValue => ({ value: row.text("value"), ...totalsOf(row, isOneDay) })),
    other: othersOf(found, isOneDay),
  };
}

function totalsOf(row: ResultRow, isOneDay: boolean): BreakdownTotals {
  const personDays = row.number("person_days");
  return {
    events: row.number("events"),
    sessions: row.number("sessions"),
    person_days: personDays,
    persons: isOneDay ? personDays : null,
  };
}

/** The numbers of the values after the listed ones. */
function othersOf(listed: readonly ResultRow[], isOneDay: boolean): OtherValues {
  const last = listed.at(-1);
  const valueCount = (last?.number("value_count") ?? 0) - listed.length;
  if (!last || valueCount === 0)
    return { value_count: 0, events: 0, sessions: 0, person_days: 0, persons: isOneDay ? 0 : null };
  const events = last.number("all_events") - listed.reduce((sum, row) => sum + row.number("events"), 0);
  const persons = isOneDay ? last.number("persons_below") : null;
  return {
    ...{ value_count: valueCount, events },
    sessions: isOneDay ? last.number("sessions_below") : null,
    ...{ person_days: persons, persons },
  };
}
