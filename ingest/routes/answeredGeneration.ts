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
