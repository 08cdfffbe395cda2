/** Finalizers of bundles that wait until the runner reports that their bundle is durable. */
import type { Finalizer } from "./operators";
import { reportFailure } from "../worker/counters";
import { log } from "../worker/log";
import { workerStats } from "./stats";

/** Environment variable with the time that finalizers may wait, ms; see {@link finalizerLimitMs}. */
export const FINALIZER_LIMIT_VARIABLE = "BEAM_FINALIZER_LIMIT_MS";

/** A runner that drops a bundle does not say so: its finalizers are aborted after this time, ms. */
const DEFAULT_LIMIT_MS = 60 * 60_000;

/**
 * Time that finalizers may wait for the runner, ms: a runner with checkpoints finalizes a bundle when the next checkpoint, or
 * the one after it, is complete. Far longer than that, because what is aborted too early is processed twice.
 */
export function finalizerLimitMs(checkpointingIntervalMs: number): number {
  return Math.max(DEFAULT_LIMIT_MS, 20 * checkpointingIntervalMs);
}

function limitMs(): number {
  return Number(process.env[FINALIZER_LIMIT_VARIABLE] ?? DEFAULT_LIMIT_MS);
}

type BeforeFinalize = () => Promise<number | undefined>;
const beforeFinalizeListeners = new Set<BeforeFinalize>();

/**
 * Registers a listener that runs before the finalizers of each bundle. It may resolve with the number of the newest complete
 * checkpoint, which the finalizers receive. When it rejects, the finalizers are aborted, so that their messages are
 * redelivered, and the runner gets the error.
 * @returns removes the listener
 */
export function beforeFinalize(listener: BeforeFinalize): () => void {
  beforeFinalizeListeners.add(listener);
  return () => void beforeFinalizeListeners.delete(listener);
}

/** Aborts all of them, also when one throws. */
export function abortAll(finalizers: readonly Finalizer[]): void {
  for (const finalizer of finalizers) {
    workerStats.abortedFinalizers++;
    try {
      finalizer.abort();
    } catch (error) {
      log.error(`The abort of a finalizer failed: ${String(error)}`);
    }
  }
}

/** Commits all of them, also when one fails. @throws Error with what failed */
async function commitAll(finalizers: readonly Finalizer[], checkpoint: number | undefined): Promise<void> {
  const errors: unknown[] = [];
  for (const finalizer of finalizers) {
    workerStats.finalized++;
    try {
      await finalizer.commit(checkpoint);
    } catch (error) {
      errors.push(error);
    }
  }
  if (!errors.length) return;
  if (errors.length === 1) throw errors[0];
  throw new AggregateError(errors, `${errors.length} finalizers failed, first: ${String(errors[0])}`);
}

/** The finalizers of the bundles of one worker. */
export class PendingFinalizers {
  private readonly byBundle = new Map<string, { readonly since: number; readonly finalizers: readonly Finalizer[] }>();

  /** @param now monotonic, ms */
  add(bundleId: string, finalizers: readonly Finalizer[], now = performance.now()): void {
    this.expire(now);
    this.byBundle.set(bundleId, { since: now, finalizers });
  }

  /** Aborts those that have waited too long. @param now monotonic, ms */
  expire(now = performance.now()): void {
    for (const [id, { since, finalizers }] of this.byBundle) {
      if (now - since <= limitMs()) break; // a Map keeps the order of insertion
      this.byBundle.delete(id);
      log.warn(`The runner has not finalized bundle ${id}: its ${finalizers.length} finalizers are aborted`);
      abortAll(finalizers);
    }
  }

  /**
   * Finalizes a bundle. Does nothing for an unknown one.
   * @throws the error of a finalizer or listener; every finalizer was called nevertheless
   */
  async finalize(bundleId: string): Promise<void> {
    const entry = this.byBundle.get(bundleId);
    if (!entry) return;
    let checkpoint: number | undefined;
    try {
      for (const listener of beforeFinalizeListeners) checkpoint = (await listener()) ?? checkpoint;
    } catch (error) {
      log.error(`Bundle ${bundleId} is not finalized: ${String(error)}`);
      reportFailure({ what: "recording a checkpoint", error: String(error) });
      if (this.byBundle.delete(bundleId)) abortAll(entry.finalizers);
      throw error;
    }
    if (!this.byBundle.delete(bundleId)) return; // aborted in the meantime: the control stream has ended
    await commitAll(entry.finalizers, checkpoint);
  }

  /** Aborts all. */
  abort(): void {
    const entries = [...this.byBundle.values()];
    this.byBundle.clear();
    for (const { finalizers } of entries) abortAll(finalizers);
  }
}
