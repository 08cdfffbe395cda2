import type { GenerationSettings } from "@eventlogger/gcp/bigquery/generations";
import { STATE_FORMAT } from "./shards";

/**
 * The settings that the numbers and the state of this pipeline depend on.
 * @param shardHashSecret key of the hash in the keys of state (`IdHash`)
 */
export function generationSettings(sessionGapMs: number, shardHashSecret?: string): GenerationSettings {
  return {
    sessionGapMs,
    ...(shardHashSecret !== undefined && { shardHashSecret }),
    stateFormat: STATE_FORMAT,
  };
}
