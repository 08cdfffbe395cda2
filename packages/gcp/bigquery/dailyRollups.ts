import type { BigQuery } from "@google-cloud/bigquery";
import { runQuery, type ResultRow } from "./query";
import { definitionsOf, definitionsSql, type RollupDefinitions } from "./rollupDefinitions";
import { generationsTable } from "./tables";
import { dailyRollupsView, tableReference } from "./views";

/** One day of the view daily_rollups, in the time zone of its generation. */
export interface DailyRollup {
  /** YYYY-MM-DD. */
  date: string;
  average_session_duration_sec: number;
  average_session_duration_min: number;
  /** Sum of the durations of the sessions, ms. */
  session_duration_ms: number;
  active_user_count: number;
  new_user_count: number;
  session_count: number;
  /** Persons up to and including this day. */
  total_users: number;
  /** Persons who were active on at least one of the 7 days that end with this day. */
  wau: number;
  /** The same of 30 days. */
  mau: number;
  anonymous_user_count: number;
  bot_user_count: number;
  bot_session_count: number;
  /** When the pipeline made the newest version of the numbers of this day, by the clock of its worker; ISO 8601. */
  updated_at: string;
}

const NUMBERS = [
  "average_session_duration_sec",
  "average_session_duration_min",
  "session_duration_ms",
  "active_user_count",
  "new_user_count",
  "session_count",
  "total_users",
  "wau",
  "mau",
  "anonymous_user_count",
  "bot_user_count",
  "bot_session_count",
] as const satisfies readonly Exclude<keyof DailyRollup, "date" | "updated_at">[];
type NumberName = (typeof NUMBERS)[number];

/** First and last day, inclusive, `YYYY-MM-DD`. */
export interface DayRange {
  readonly from: string;
  readonly to: string;
}

export interface DailyRollups {
  /** Persons over all days, also those outside of a requested range. */
  total_users: number;
  /** In ascending order of date. */
  days: DailyRollup[];
  /** Those of the active generation, whose numbers these are; undefined before the first start of the pipeline. */
  definitions: RollupDefinitions | undefined;
  /**
   * The numbers contain all events that were published until then; ISO 8601. Null when it is not known: on Dataflow, and in the first minutes of a
   * generation.
   */
  watermark: string | null;
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
    `SELECT ${definitionsSql}, active.watermark, date, updated_at, ${NUMBERS.join(", ")}
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
    watermark: rows[0]?.timeOrNull("watermark") ?? null,
  };
}

function dailyRollup(row: ResultRow): DailyRollup {
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, row.number(name)])) as Record<NumberName, number>;
  return { date: row.text("date"), ...numbers, updated_at: row.time("updated_at") };
}
