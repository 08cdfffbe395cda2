import { colours, LiveLine, type Output } from "./terminal";

/** Gets what a step has just done, such as `downloaded 45 files`. */
export type OnProgress = (line: string) => void;

interface RunningStep {
  readonly name: string;
  readonly startedAt: number;
  /** Whether its start has been printed. */
  announced: boolean;
  lastLine: string;
}

export interface ProgressOptions {
  /** How often a running step is reported where the output is not a terminal, ms. @default 10_000 */
  readonly reportEveryMs?: number;
  /** A step that takes less than this and reports nothing prints nothing, ms. @default 1000 */
  readonly announceAfterMs?: number;
}

const seconds = (since: number): string => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/**
 * Prints the progress of steps that take long; several may run at the same time. A terminal shows one live line with every
 * running step, its elapsed time and what it did last. Elsewhere each step prints a line at its start, a line every ten
 * seconds while it runs, and a line at its end. A step that had nothing to do prints nothing.
 */
export class Progress {
  private readonly running = new Set<RunningStep>();
  private readonly live: LiveLine;
  private readonly isTerminal: boolean;
  private readonly reportEveryMs: number;
  private readonly announceAfterMs: number;
  private timer: NodeJS.Timeout | undefined;
  private reportedAt = 0;

  constructor(
    private readonly output: Output = process.stdout,
    { reportEveryMs = 10_000, announceAfterMs = 1000 }: ProgressOptions = {},
  ) {
    this.isTerminal = output.isTTY === true;
    this.live = new LiveLine(output);
    this.reportEveryMs = reportEveryMs;
    this.announceAfterMs = announceAfterMs;
  }

  /** Runs a step and prints its progress. @throws what `work` throws, after a line that names the step */
  async step<T>(name: string, work: (onProgress: OnProgress) => T | Promise<T>): Promise<T> {
    const step: RunningStep = { name, startedAt: Date.now(), announced: false, lastLine: "" };
    const { green, red } = colours(this.output);
    this.add(step);
    try {
      const result = await work((line) => {
        step.lastLine = line;
        if (!step.announced) this.announce(step);
      });
      this.remove(step);
      if (step.announced) this.print(`${name}: ${green("done")} in ${seconds(step.startedAt)}`);
      return result;
    } catch (error) {
      this.remove(step);
      this.print(`${name}: ${red("failed")} after ${seconds(step.startedAt)}`);
      throw error;
    }
  }

  /** Prints a line that stays, above the live line. */
  print(line: string): void {
    this.live.clear();
    this.output.write(`${line}\n`);
  }

  private add(step: RunningStep): void {
    this.running.add(step);
    if (this.timer) return;
    this.reportedAt = Date.now();
    this.timer = setInterval(() => this.update(), Math.min(200, this.announceAfterMs, this.reportEveryMs));
  }

  private remove(step: RunningStep): void {
    this.running.delete(step);
    if (this.running.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** On a terminal the live line shows the start; a line of its own would repeat it. */
  private announce(step: RunningStep): void {
    step.announced = true;
    if (!this.isTerminal) this.print(step.lastLine ? `${step.name}: ${step.lastLine}` : `${step.name}: started`);
  }

  private update(): void {
    const now = Date.now();
    for (const step of this.running) {
      if (!step.announced && now - step.startedAt >= this.announceAfterMs) this.announce(step);
    }
    if (this.isTerminal) {
      this.live.draw(() => [...this.running].map(describe).join("  |  "));
    } else if (now - this.reportedAt >= this.reportEveryMs) {
      this.reportedAt = now;
      for (const step of this.running) this.print(describe(step));
    }
  }
}

function describe({ name, startedAt, lastLine }: RunningStep): string {
  return `${name}: ${Math.round((Date.now() - startedAt) / 1000)} s${lastLine ? `, ${lastLine}` : ""}`;
}
