import type { BigQuery } from "@google-cloud/bigquery";
import { UTC_NAME } from "@eventlogger/events/zone/zoneName";
import { runQuery, type ResultRow } from "./query";
import { generationsTable } from "./tables";
import { dailyRollupsView, tableReference } from "./views";

/** One day of the view daily_rollups, in the time zone of its generation. */
export interface DailyRollup {
  /** YYYY-MM-DD. */
  date: string;
  average_session_duration_sec: number;
  average_session_duration_min: number;
  active_user_count: number;
  new_user_count: number;
  session_count: number;
  /** Distinct known users up to and including this day. */
  total_users: number;
}

/** First and last day, inclusive, `YYYY-MM-DD`. */
export interface DayRange {
  readonly from: string;
  readonly to: string;
}

/** What the numbers of an answer mean. */
export interface RollupDefinitions {
  readonly generation: number;
  /** IANA name of the time zone of the days. */
  readonly timeZone: string;
  readonly sessionGapMs: number;
}

export interface DailyRollups {
  /** Distinct known users over all days, also those outside of a requested range. */
  total_users: number;
  /** In ascending order of date. */
  days: DailyRollup[];
  /** Those of the active generation, whose numbers these are; undefined before the first start of the pipeline. */
  definitions: RollupDefinitions | undefined;
}

/**
 * Reads the rollups of the days in a range, or of all days, and their definitions. In one query: BigQuery reads all tables of a query as
 * they were at one moment, so that the answer has the numbers of one generation while another one is activated.
 * @throws Error of the BigQuery client when the query fails
 */
export async function readDailyRollups(bigquery: BigQuery, dataset: string, range?: DayRange): Promise<DailyRollups> {
  const reference = (name: string): string => tableReference(bigquery.projectId, dataset, name);
  // Also the last day of all, which has the number of all users. The window reads the view once; a subquery would read it again.
  const inRange = `AND (date IS NULL OR date BETWEEN CAST(@from AS DATE) AND CAST(@to AS DATE) OR date = last_date)`;
  const rows = await runQuery(
    bigquery,
    `SELECT active.generation, JSON_VALUE(settings, '$.sessionGapMs') AS session_gap_ms,
            JSON_VALUE(settings, '$.timeZone') AS time_zone, date, average_session_duration_sec,
            average_session_duration_min, active_user_count, new_user_count, session_count, total_users
     FROM ${reference(generationsTable.name)} AS active
     LEFT JOIN (SELECT *, MAX(date) OVER () AS last_date FROM ${reference(dailyRollupsView.name)}) AS rollups
       ON rollups.generation = active.generation
     WHERE status = 'active' ${range === undefined ? "" : inRange}
     ORDER BY date`,
    range && { from: range.from, to: range.to },
  );
  const days = rows.flatMap((row) => (row.textOrNull("date") === null ? [] : [dailyRollup(row)]));
  const isWithin = ({ date }: DailyRollup): boolean => !range || (date >= range.from && date <= range.to);
  return {
    total_users: days[days.length - 1]?.total_users ?? 0,
    days: days.filter(isWithin),
    definitions: rows[0] && definitionsOf(rows[0]),
  };
}

function dailyRollup(row: ResultRow): DailyRollup {
  return {
    date: row.text("date"),
    average_session_duration_sec: row.number("average_session_duration_sec"),
    average_session_duration_min: row.number("average_session_duration_min"),
    active_user_count: row.number("active_user_count"),
    new_user_count: row.number("new_user_count"),
    session_count: row.number("session_count"),
    total_users: row.number("total_users"),
  };
}

function definitionsOf(row: ResultRow): RollupDefinitions {
  const timeZone = row.textOrNull("time_zone") ?? UTC_NAME;
  return { generation: row.number("generation"), timeZone, sessionGapMs: row.number("session_gap_ms") };
}
