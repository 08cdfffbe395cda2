import { formatDuration } from "@eventlogger/process/wait";

/** Time between two updates that counts at most; ms. While this process was suspended, it could see no progress. */
const MAX_STEP_MS = 5000;

/** What proves that the pipeline makes progress. */
export interface Progress {
  /** Number of finished bundles of all workers. */
  readonly bundles: number;
  /** Identifies the last completed checkpoint; undefined before the first one. */
  readonly checkpoint: string | undefined;
}

interface Sign<T> {
  value: T;
  /** Time without a change; ms. */
  ageMs: number;
  changedAt: Date | undefined;
}

/** Measures how long the pipeline has finished no bundle and completed no checkpoint. */
export class RunProgress {
  private readonly bundle: Sign<number>;
  private readonly checkpoint: Sign<string | undefined>;
  private readonly startedAt = new Date();
  private last: number;

  /** @param now monotonic time, ms */
  constructor(
    initial: Progress,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.bundle = { value: initial.bundles, ageMs: 0, changedAt: undefined };
    this.checkpoint = { value: initial.checkpoint, ageMs: 0, changedAt: undefined };
    this.last = now();
  }

  /** Call it about once a second. @returns whether a checkpoint was completed since the last call */
  update({ bundles, checkpoint }: Progress): boolean {
    const now = this.now();
    const stepMs = Math.min(now - this.last, MAX_STEP_MS);
    this.last = now;
    this.see(this.bundle, bundles, stepMs);
    return this.see(this.checkpoint, checkpoint, stepMs);
  }

  private see<T>(sign: Sign<T>, value: T, stepMs: number): boolean {
    if (value === sign.value) {
      sign.ageMs += stepMs;
      return false;
    }
    sign.value = value;
    sign.ageMs = 0;
    sign.changedAt = new Date();
    return true;
  }

  /** Time since a bundle was finished, or since the start; ms. */
  get bundleAgeMs(): number {
    return this.bundle.ageMs;
  }

  /** Time since a checkpoint was completed, or since the start; ms. */
  get checkpointAgeMs(): number {
    return this.checkpoint.ageMs;
  }

  /** What has not happened for at least this time, ms; undefined when all has. */
  stuckFor(limitMs: number): string | undefined {
    const missing = [
      { what: "no bundle was finished", sign: this.bundle },
      { what: "no checkpoint was completed", sign: this.checkpoint },
    ].filter(({ sign }) => sign.ageMs >= limitMs);
    if (missing.length === 0) return undefined;
    return missing
      .map(({ what, sign: { ageMs, changedAt } }) => {
        const since = changedAt ? changedAt.toISOString() : `the start at ${this.startedAt.toISOString()}`;
        return `${what} for ${formatDuration(Math.round(ageMs / 1000) * 1000)} (since ${since})`;
      })
      .join(", and ");
  }
}
