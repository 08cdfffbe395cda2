import { eventIdHash } from "@eventlogger/events/accepted/acceptedIds";

/** Ids that are remembered, about; a power of two. 8 bytes each. */
const SLOTS = 2 ** 21;

/**
 * Remembers ids that were seen lately, as hashes, in bounded memory: an id is forgotten when another one takes its place. So an id
 * that was seen may count as new again, and never the other way round.
 */
export class SeenIds {
  private readonly hashes: Float64Array;

  /** @param slots number of places; a power of two */
  constructor(private readonly slots = SLOTS) {
    this.hashes = new Float64Array(slots).fill(-1);
  }

  /** The hashes of the ids that were not seen, each once. Does not remember them. */
  unseen(ids: Iterable<string>): ReadonlySet<number> {
    const unseen = new Set<number>();
    for (const id of ids) {
      const hash = eventIdHash(id);
      if (this.hashes[hash % this.slots] !== hash) unseen.add(hash);
    }
    return unseen;
  }

  /** Remembers hashes of ids. */
  add(hashes: Iterable<number>): void {
    for (const hash of hashes) this.hashes[hash % this.slots] = hash;
  }
}
