import type { GenerationSettings } from "@eventlogger/gcp/bigquery/generations";
import { SESSION_SHARDS_PER_DAY, USER_SHARDS } from "./shards";

/** The settings that the numbers of this pipeline depend on. */
export function generationSettings(sessionGapMs: number): GenerationSettings {
  return { sessionGapMs, userShards: USER_SHARDS, sessionShardsPerDay: SESSION_SHARDS_PER_DAY };
}
