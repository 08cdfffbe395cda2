import "@eventlogger/beam/sdk";
import type { KV } from "apache-beam/values";
import { count, type BundleDoFn, type Emit, type EmitTimestamped } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { eventIdHash, shardOfHash, smallestHashes } from "@eventlogger/events/accepted/acceptedIds";
import { contentHash, RecentEvents } from "@eventlogger/events/accepted/eventContent";
import { dayOf } from "@eventlogger/events/day";
import type { ParsedEvent } from "../parse/parsedEvent";
import { encodeHashes } from "./encoding";

/** Hashes that are collected before they are emitted; limits the memory of a large bundle. */
const MAX_HASHES = 100_000;
/**
 * Days whose samples are kept at the same time. Days this far apart share their keys, and only the newer one is kept, which
 * bounds the state. The number belongs to the stored state and must not change.
 */
const DAYS = 64;

/** The key of a shard of a day: `23|15`. The day 64 days later has the same keys. */
function keyOf(day: number, shard: number): string {
  return `${((day % DAYS) + DAYS) % DAYS}|${shard}`;
}

/** The events that this process has read lately, for the counter of conflicts only. */
let recentEvents: RecentEvents | undefined;

/** Collects the hashes of the event ids of a bundle, by day and shard, and counts events whose id an earlier one has. */
export class CollectHashes implements BundleDoFn<ParsedEvent, KV<string, Uint8Array>> {
  private days = new Map<number, Map<number, number[]>>();
  private size = 0;

  startBundle(): void {
    this.clear();
  }

  process(
    { event, propertiesJson = JSON.stringify(event.properties), isReplay }: ParsedEvent,
    emit: Emit<KV<string, Uint8Array>>,
  ): void {
    // Recorded when it was accepted.
    if (isReplay) return;
    const day = dayOf(event.event_time);
    const hash = eventIdHash(event.event_id);
    recentEvents ??= new RecentEvents();
    if (recentEvents.isConflict(hash, contentHash(event, propertiesJson))) count("conflictingEvents");
    const shard = shardOfHash(hash);
    const shards = this.days.get(day) ?? new Map<number, number[]>();
    if (shards.size === 0) this.days.set(day, shards);
    const hashes = shards.get(shard);
    if (hashes) hashes.push(hash);
    else shards.set(shard, [hash]);
    if (++this.size >= MAX_HASHES) this.flush(emit);
  }

  finishBundle(emit: EmitTimestamped<KV<string, Uint8Array>>): void {
    const now = Date.now();
    this.flush((kv) => emit(kv, now));
  }

  private flush(emit: (kv: KV<string, Uint8Array>) => void): void {
    const { days } = this;
    this.clear();
    for (const [day, shards] of days) {
      for (const [shard, hashes] of shards) {
        emit({ key: keyOf(day, shard), value: encodeHashes({ day, hashes: smallestHashes(hashes) }) });
      }
    }
  }

  private clear(): void {
    this.days = new Map();
    this.size = 0;
  }
}

registerModule(module);
