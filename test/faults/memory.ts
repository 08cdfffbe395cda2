import { setTimeout as sleep } from "node:timers/promises";
import { processUsage } from "@eventlogger/process/processUsage";

/** How long memory has to come back, ms: V8 gives pages back when it has had time to. */
const SETTLE_MS = 30_000;
/**
 * What a heap may have grown by and keep, MiB: V8 enlarges its young generation under load, and does not always give it
 * back. A leak under these faults is a multiple of it.
 */
const KEPT_MIB = 64;

/** Resident memory of a process over a fault, MiB. */
export interface MemoryFigures {
  readonly before: number;
  readonly peak: number;
  readonly after: number;
}

/** Watches the memory of a process. */
export class MemoryWatch {
  private readonly before: number;
  private peak: number;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly pid: number) {
    this.before = this.peak = this.rss();
    this.timer = setInterval(() => (this.peak = Math.max(this.peak, this.rss())), 100).unref();
  }

  /** The most that is still taken to be the level before, MiB. */
  get bound(): number {
    return this.before + KEPT_MIB;
  }

  /** Waits until memory is back at its level, 30 s at most. */
  async settle(): Promise<MemoryFigures> {
    for (const end = Date.now() + SETTLE_MS; this.rss() > this.bound && Date.now() < end;) await sleep(250);
    clearInterval(this.timer);
    return { before: this.before, peak: this.peak, after: this.rss() };
  }

  private rss(): number {
    return processUsage(this.pid)?.rssMiB ?? 0;
  }
}
