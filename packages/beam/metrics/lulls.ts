/** Finds steps that neither emit nor return for a long time, as Beam's other SDKs do. */
import type { BundleTimes } from "./steps";

/** A step is reported when it has done nothing for this time, and again after the same time; ms. */
export const LULL_MS = Number(process.env["BEAM_LULL_MS"] ?? 5 * 60_000);

interface Seen {
  transitions: number;
  /** When that many transitions were first seen, and when the lull was reported; monotonic, ms. */
  since: number;
  reportedAt: number;
}

/** Watches bundles; one of each worker. */
export class LullWatch {
  private readonly seen = new WeakMap<BundleTimes, Seen>();

  /**
   * A message for each bundle whose step is stuck.
   * @param bundles the running bundles by id
   * @param now monotonic, ms
   */
  check(bundles: Iterable<readonly [string, BundleTimes]>, now = performance.now()): string[] {
    const messages: string[] = [];
    for (const [id, times] of bundles) {
      const seen = this.seen.get(times);
      if (!seen || seen.transitions !== times.transitions) {
        this.seen.set(times, { transitions: times.transitions, since: now, reportedAt: now });
        continue;
      }
      // Without a state, the bundle waits for data of the runner.
      if (!times.state || now - seen.reportedAt < LULL_MS) continue;
      seen.reportedAt = now;
      const { step, phase } = times.state;
      const seconds = Math.round((now - seen.since) / 1000);
      messages.push(
        `Operation ongoing in bundle ${id} for at least ${seconds} s in step ${step.name} (${phase}), ` +
          "without outputting or completing",
      );
    }
    return messages;
  }
}
