import { dayFromIso, dayToIso } from "@eventlogger/events/day";
import {
  anonymousActivityTable,
  dailyBreakdownsTable,
  eventsTable,
  generationsTable,
  hourlyEventsTable,
} from "../tables";
import { tableReference } from "../views";

/**
 * What the statements of a refresh depend on, as SQL expressions: constants when a program runs the statements, names of variables in the
 * script of a scheduled query.
 */
export interface RefreshScope {
  readonly project: string;
  readonly dataset: string;
  /** INT64. */
  readonly generation: string;
  /** STRING: IANA name of the time zone of the days. */
  readonly timeZone: string;
  /** INT64: session gap, ms. */
  readonly gapMs: string;
  /** BOOL: whether bots count. */
  readonly countBots: string;
  readonly dimensions: readonly string[];
  /** TIMESTAMP: when the refresh began. */
  readonly startedAt: string;
  /** DATE: rows received earlier were compared by an earlier refresh. */
  readonly since: string;
  /** BOOL: whether all days are computed again. */
  readonly all: string;
}

/** Days that a statement computes, as SQL expressions. */
export interface RefreshedDays {
  /** ARRAY<STRUCT<date DATE, source_rows STRING>>. */
  readonly sources: string;
  /** A condition for dates of the zone. */
  readonly isDay: (date: string) => string;
  /** A condition for UTC dates: whether events of that date can belong to one of the days. */
  readonly isUtcDay: (date: string) => string;
  /** DATE: an event of these days cannot be received before. */
  readonly receivedSince: string;
}

type Names = Pick<RefreshScope, "project" | "dataset">;

const reference =
  (name: string) =>
  ({ project, dataset }: Names): string =>
    tableReference(project, dataset, name);

export const eventsOf = reference(eventsTable.name);
export const dailyOf = reference(dailyBreakdownsTable.name);
export const hourlyOf = reference(hourlyEventsTable.name);
export const activityOf = reference(anonymousActivityTable.name);
export const generationsOf = reference(generationsTable.name);

/** SQL for the date of an event in the time zone of the generation. */
export function dateOf({ timeZone }: RefreshScope): string {
  return `DATE(event_time, ${timeZone})`;
}

/**
 * SQL for the hash of an id: 128 bits, with the secret of the generation, which the statement itself reads so that no log of jobs has it.
 */
export function hashOf(id: string): string {
  return `SUBSTR(TO_HEX(SHA256(CONCAT(secret.text, ${id}))), 1, 32)`;
}

/** A table for WITH that {@link hashOf} needs: join it. */
export function secretSql(scope: RefreshScope): string {
  return `secret AS (
  SELECT IFNULL(MAX(JSON_VALUE(settings, '$.shardHashSecret')), '') AS text
  FROM ${generationsOf(scope)}
  WHERE generation = ${scope.generation}
)`;
}

/** A table for WITH: the users that each anonymous id was ever seen with, as hashes. */
export function linksSql(scope: RefreshScope): string {
  return `links AS (
  SELECT DISTINCT anonymous_id, user_id
  FROM ${activityOf(scope)}
  WHERE generation = ${scope.generation} AND user_id IS NOT NULL
)`;
}

/** One day and its source_rows, as a refresh found them. */
export interface SourceDay {
  /** YYYY-MM-DD. */
  readonly date: string;
  /** Numbers of rows by received_date: `2026-05-17=120,2026-05-18=3`. */
  readonly sourceRows: string;
}

const constant = (date: string): string => `DATE '${date}'`;
const anyOf = (column: string, dates: readonly string[]): string =>
  dates.length ? `${column} IN (${dates.map(constant).join(", ")})` : "FALSE";

/** The expressions for constant days: BigQuery skips blocks and partitions only for constants. */
export function constantDays(days: readonly SourceDay[]): RefreshedDays {
  const dates = days.map(({ date }) => date);
  const around = dates.flatMap((date) => {
    const day = dayFromIso(date);
    return day === undefined ? [] : [day - 1, day, day + 1];
  });
  const utc = [...new Set(around)].sort((a, b) => a - b);
  const structs = days.map(
    ({ date, sourceRows }) => `STRUCT(${constant(date)} AS date, '${sourceRows}' AS source_rows)`,
  );
  return {
    sources: `[${structs.join(", ")}]`,
    isDay: (date) => anyOf(date, dates),
    isUtcDay: (date) => anyOf(date, utc.map(dayToIso)),
    // An event is at most a day ahead of its receipt.
    receivedSince: constant(dayToIso((utc[0] ?? 0) - 1)),
  };
}
