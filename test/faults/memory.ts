import { setTimeout as sleep } from "node:timers/promises";
import { processUsage } from "@eventlogger/process/processUsage";

/** Time that memory has to come back, ms: V8 releases pages with a delay. */
const SETTLE_MS = 30_000;
/**
 * Allowed growth of memory, MiB: V8 enlarges its young generation under load and does not always release it. With
 * `--max-semi-space-size=32`, which replicas get, it has up to 96 MiB. A leak under these faults is a multiple of this.
 */
const ALLOWED_GROWTH_MIB = 112;

/** Resident memory of a process before, during and after a fault, MiB. */
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

  /** The upper limit of memory after the fault, MiB. */
  get bound(): number {
    return this.before + ALLOWED_GROWTH_MIB;
  }

  /** Waits until memory is within its bound, 30 s at most. */
  async settle(): Promise<MemoryFigures> {
    for (const end = Date.now() + SETTLE_MS; this.rss() > this.bound && Date.now() < end;) await sleep(250);
    clearInterval(this.timer);
    return { before: this.before, peak: this.peak, after: this.rss() };
  }

  private rss(): number {
    return processUsage(this.pid)?.rssMiB ?? 0;
  }
}
