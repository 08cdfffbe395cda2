import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { timeZoneProblem, UTC_NAME } from "@eventlogger/events/zone/zoneName";
import type { RollupDefinitions } from "@eventlogger/gcp/bigquery/rollupDefinitions";

/** The generation of all numbers in an answer. Null before the first start of the pipeline. */
export interface AnsweredGeneration {
  readonly generation: number | null;
  /** IANA name of the time zone of the days. */
  readonly time_zone: string | null;
}

/** The fields of an answer that name its generation. */
export function generationOf(definitions: RollupDefinitions | undefined): AnsweredGeneration {
  return { generation: definitions?.generation ?? null, time_zone: definitions?.timeZone ?? null };
}

/** The zone of the days. UTC when this release of Node.js does not know it: then the default range may end a day early or late. */
export function zoneOf(definitions: RollupDefinitions | undefined): TimeZone {
  const name = definitions?.timeZone ?? UTC_NAME;
  return timeZoneProblem(name) === undefined ? TimeZone.of(name) : TimeZone.UTC;
}
