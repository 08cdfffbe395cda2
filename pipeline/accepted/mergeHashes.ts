import "@eventlogger/beam/sdk";
import type { BundleDoFn, Emit, EmitTimestamped } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import type { AcceptedHashes, AcceptedIds } from "@eventlogger/events/accepted/acceptedIds";

/** Hashes of one row, about 130 KB. */
const MAX_HASHES = 10_000;

/** Merges the hashes of the shards of a day, so that a bundle writes one row per day. */
export class MergeHashes implements BundleDoFn<AcceptedHashes, AcceptedIds> {
  private days = new Map<number, number[]>();

  startBundle(): void {
    this.days = new Map();
  }

  process({ day, hashes }: AcceptedHashes, emit: Emit<AcceptedIds>): void {
    const known = this.days.get(day) ?? [];
    for (const hash of hashes) known.push(hash);
    this.days.set(day, known);
    while (known.length >= MAX_HASHES) emit({ day, hashes: known.splice(0, MAX_HASHES), recordedAt: Date.now() });
  }

  finishBundle(emit: EmitTimestamped<AcceptedIds>): void {
    const now = Date.now();
    for (const [day, hashes] of this.days) {
      if (hashes.length) emit({ day, hashes, recordedAt: now }, now);
    }
    this.days = new Map();
  }
}

registerModule(module);
