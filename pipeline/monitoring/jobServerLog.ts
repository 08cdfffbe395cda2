import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Maximum size that is read at once; bytes. A longer text is skipped up to its end. */
const MAX_READ = 1 << 20;

/** Reads what is appended to a log file, also while it is rotated. */
export class LogFollower {
  private offset = 0;
  private rest = "";

  /** Starts at the end of the file. */
  constructor(private readonly file: string) {
    this.read();
    this.rest = "";
  }

  /** The lines that were completed since the last call; empty when the file cannot be read. */
  read(): string[] {
    let text: string;
    try {
      text = this.readAppended();
    } catch {
      return [];
    }
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    return lines;
  }

  private readAppended(): string {
    const handle = openSync(this.file, "r");
    try {
      const { size } = fstatSync(handle);
      if (size < this.offset) this.offset = 0; // emptied by a rotation
      const from = Math.max(this.offset, size - MAX_READ);
      const buffer = Buffer.alloc(size - from);
      const length = readSync(handle, buffer, 0, buffer.length, from);
      this.offset = from + length;
      return buffer.toString("utf8", 0, length);
    } finally {
      closeSync(handle);
    }
  }
}

/** What Flink reports in the log of the job server. */
export interface JobServerEvents {
  /** Flink starts the job again. */
  onRestart(): void;
  /** Flink could not complete a checkpoint. @param reason such as `java.io.IOException: No space left on device` */
  onFailedCheckpoint(reason: string): void;
}

const RESTART = /Job .* switched from state \w+ to RESTARTING/;
/** A restart of the job ends the checkpoint that is being made; that is not its own failure. */
const ENDED_BY_RESTART = /Checkpoint Coordinator is (suspending|shutting down)/;
const FAILED_CHECKPOINT = /Failed to trigger or complete checkpoint \d+ for job/;
const CAUSE = /^(?:Caused by: )?((?:[a-z]\w*\.)+[A-Z][\w$]*(?:: .*)?)$/;
const ENTRY = /^\d{4}-\d\d-\d\dT[\d:.]+ /;

/** Finds events in the lines of the job server's log. */
export class JobServerLog {
  /** The failed checkpoint whose stack trace is being read, with the deepest cause so far. */
  private failed: { reason: string } | undefined;

  constructor(private readonly events: JobServerEvents) {}

  /** @param lines complete lines of the log, in order */
  read(lines: readonly string[]): void {
    for (const line of lines) {
      const cause = CAUSE.exec(line);
      if (this.failed && cause) this.failed.reason = cause[1] as string;
      if (!ENTRY.test(line)) continue;
      this.endFailedCheckpoint();
      if (RESTART.test(line)) this.events.onRestart();
      if (FAILED_CHECKPOINT.test(line)) this.failed = { reason: "unknown reason" };
    }
    // A stack trace is written at once; what follows may come much later.
    this.endFailedCheckpoint();
  }

  private endFailedCheckpoint(): void {
    const reason = this.failed?.reason;
    if (reason !== undefined && !ENDED_BY_RESTART.test(reason)) this.events.onFailedCheckpoint(reason);
    this.failed = undefined;
  }
}
