import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { timeZoneProblem, UTC_NAME } from "@eventlogger/events/zone/zoneName";
import type { ResultRow } from "./query";

/** What the numbers of an answer mean. */
export interface RollupDefinitions {
  readonly generation: number;
  /** IANA name of the time zone of the days. */
  readonly timeZone: string;
  readonly sessionGapMs: number;
}

/** Columns of the table `generations`, named `active` in the query, from which {@link definitionsOf} reads the definitions. */
export const definitionsSql = `active.generation, JSON_VALUE(settings, '$.sessionGapMs') AS session_gap_ms,
  JSON_VALUE(settings, '$.timeZone') AS time_zone`;

/** The definitions in a row with the columns of {@link definitionsSql}. */
export function definitionsOf(row: ResultRow): RollupDefinitions {
  const timeZone = row.textOrNull("time_zone") ?? UTC_NAME;
  return { generation: row.number("generation"), timeZone, sessionGapMs: row.number("session_gap_ms") };
}

/** The zone of the days. UTC when this release of Node.js does not know it: then today may begin a day early or late. */
export function zoneOf(definitions: RollupDefinitions | undefined): TimeZone {
  const name = definitions?.timeZone ?? UTC_NAME;
  return timeZoneProblem(name) === undefined ? TimeZone.of(name) : TimeZone.UTC;
}
