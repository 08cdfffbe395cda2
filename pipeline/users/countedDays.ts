import { getHeapStatistics } from "node:v8";
import type { Hash128 } from "@eventlogger/events/hash";
import type { MarkedDay } from "@eventlogger/events/persons/markedDay";
import { RecentSet } from "./recentSet";

/** The largest memory of the pairs of a process, bytes: about 8 million pairs. */
const MAX_BYTES = 128 * 1024 * 1024;

/** A sixteenth of the heap limit of a worker, as a power of two; bytes. */
export function countedDaysBytes(heapLimitBytes: number): number {
  return Math.min(MAX_BYTES, 2 ** Math.floor(Math.log2(heapLimitBytes / 16)));
}

/**
 * The hash of the pair of an anonymous id and the user that it was seen with.
 * @param into receives the hash
 */
export function hashOfLink(anonymous: Hash128, user: Hash128, into: Hash128): void {
  // Other words than those of the user's hash, so that it differs from 0 for a user id that is the same text as the anonymous id.
  for (let i = 0; i < into.length; i++) into[i] = (anonymous[i] as number) ^ (user[(i + 1) % user.length] as number);
}

/** The pairs of all instances of this process, so that their memory is bounded together. */
let recent: RecentSet | undefined;
let instances = 0;

/**
 * Pairs of an id and a day that one instance of a DoFn has emitted, so that they need not be emitted again. Only the pairs of
 * bundles that have succeeded are in it.
 *
 * This is exact only where an attempt of the job uses an instance for itself, as on Flink: there, what a bundle emits is part of
 * the same checkpoint as the input of the next one, and after a restore from a checkpoint the runner describes all bundles
 * anew, so that the worker creates new instances, also when its process lives on. A pair is a hash of 128 bits with a secret key: that
 * a new pair equals one of 10 million others has a probability of 10^-31.
 */
export class CountedDays {
  private readonly instance = ++instances;
  /** The pairs of the current bundle, four words each. */
  private emitted: number[] = [];

  /** Whether the pair of an id, whose hash is given, and a day was emitted in an earlier bundle. */
  has(hash: Hash128, day: MarkedDay): boolean {
    const [a = 0, b = 0, c = 0, d = 0] = hash;
    return recent !== undefined && recent.has(a, b, (c ^ this.instance) >>> 0, (d ^ day) >>> 0);
  }

  /** Notes that the current bundle emits a pair. */
  emit(hash: Hash128, day: MarkedDay): void {
    const [a = 0, b = 0, c = 0, d = 0] = hash;
    this.emitted.push(a, b, (c ^ this.instance) >>> 0, (d ^ day) >>> 0);
  }

  /** Adds the pairs of the bundle, because it has succeeded. */
  bundleSucceeded(): void {
    const { emitted } = this;
    this.emitted = [];
    recent ??= new RecentSet(countedDaysBytes(getHeapStatistics().heap_size_limit));
    for (let i = 0; i < emitted.length; i += 4) {
      const [a, b, c, d] = [emitted[i], emitted[i + 1], emitted[i + 2], emitted[i + 3]] as [
        number,
        number,
        number,
        number,
      ];
      if (!recent.has(a, b, c, d)) recent.add(a, b, c, d);
    }
  }

  /** Forgets the pairs of the bundle, because it has failed. */
  bundleFailed(): void {
    this.emitted = [];
  }
}
