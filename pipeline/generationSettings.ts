import { UTC_NAME } from "@eventlogger/events/zone/zoneName";
import type { GenerationSettings } from "@eventlogger/gcp/bigquery/generations";
import { STATE_FORMAT } from "./shards";

/** The session gap of a dataset that has no numbers yet, ms. */
export const DEFAULT_GAP_MS = 30 * 60_000;

/**
 * The settings that the numbers and the state of this pipeline depend on.
 * @param shardHashSecret key of the hash in the keys of state (`IdHash`)
 * @param timeZone IANA name
 * @param countBots whether sessions and active days of bots count
 */
export function generationSettings(
  sessionGapMs: number,
  shardHashSecret?: string,
  timeZone: string = UTC_NAME,
  countBots = false,
): GenerationSettings {
  return {
    sessionGapMs,
    ...(timeZone !== UTC_NAME && { timeZone }),
    ...(countBots && { countBots }),
    ...(shardHashSecret !== undefined && { shardHashSecret }),
    stateFormat: STATE_FORMAT,
  };
}
