import type { Failure } from "@eventlogger/beam/worker/counters";
import { formatDuration } from "@eventlogger/process/wait";

/** Failures of one kind are printed again with their number after this time; ms. */
const SUMMARY_MS = 10 * 60_000;
/** Number of completed checkpoints after the last failure that mean recovery. The first one may have begun before it. */
const CHECKPOINTS_TO_RECOVER = 2;
/** Kinds that are kept; more are counted as the last one. */
const MAX_KINDS = 20;

interface Kind {
  readonly what: string;
  /** The newest error. */
  error: string;
  count: number;
  readonly since: number;
  printedAt: number;
  checkpointsSince: number;
}

/** Errors of one kind differ in numbers, such as those of rows and attempts, and in the plural after them. */
function kindOf({ what, error }: Failure): string {
  const text = error.replace(/\d+/g, "#").replace(/# (\w+?)s?\b/g, "# $1");
  return `${what}\n${text.slice(0, 80)}`;
}

/**
 * Failures that are tried again, by kind. The first one of a kind is printed at once, the following ones are counted: they
 * are printed every 10 minutes, and when they are over.
 */
export class RepeatedFailures {
  private readonly kinds = new Map<string, Kind>();

  /** @param print prints a line, @param now monotonic time, ms */
  constructor(
    private readonly print: (line: string) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  report(failure: Failure): void {
    const key = kindOf(failure);
    const known = this.kinds.get(key) ?? (this.kinds.size >= MAX_KINDS ? [...this.kinds.values()].at(-1) : undefined);
    const { what, error } = failure;
    const now = this.now();
    if (!known) {
      this.kinds.set(key, { what, error, count: 1, since: now, printedAt: now, checkpointsSince: 0 });
      this.print(`${what} failed, and is tried again: ${error}`);
      return;
    }
    known.error = error;
    known.count++;
    known.checkpointsSince = 0;
    if (now - known.printedAt < SUMMARY_MS) return;
    known.printedAt = now;
    this.print(`${this.countText(known)}, and is tried again: ${error}`);
  }

  /** A checkpoint was completed. */
  checkpointCompleted(): void {
    const recovered: string[] = [];
    for (const [key, kind] of this.kinds) {
      if (++kind.checkpointsSince < CHECKPOINTS_TO_RECOVER) continue;
      this.kinds.delete(key);
      recovered.push(this.countText(kind));
    }
    if (recovered.length) this.print(`recovered: ${recovered.join("; ")}`);
  }

  /** The failures that go on, each with its number, most frequent first; empty when there are none. */
  current(): string[] {
    const kinds = [...this.kinds.values()].sort((a, b) => b.count - a.count);
    return kinds.map((kind) => `${this.countText(kind)}: ${kind.error}`);
  }

  private countText({ what, count, since }: Kind): string {
    if (count === 1) return `${what} failed once`;
    return `${what} failed ${count} times in ${formatDuration(Math.round((this.now() - since) / 1000) * 1000)}`;
  }
}
