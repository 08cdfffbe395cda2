import type { GenerationSettings } from "@eventlogger/gcp/bigquery/generations";
import { SESSION_SHARDS_PER_DAY, USER_SHARDS } from "./shards";

/**
 * The settings that the numbers and the state of this pipeline depend on.
 * @param shardHashSecret key of the shard hash (`shardHash`); undefined for state of a release without one
 */
export function generationSettings(sessionGapMs: number, shardHashSecret?: string): GenerationSettings {
  return {
    sessionGapMs,
    ...(shardHashSecret !== undefined && { shardHashSecret }),
    userShards: USER_SHARDS,
    sessionShardsPerDay: SESSION_SHARDS_PER_DAY,
  };
}
