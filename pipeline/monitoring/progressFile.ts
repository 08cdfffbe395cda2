import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { publishedUntil, type SourceName } from "../io/pubsub/source/sourceGauges";

/** The file in the state directory with the progress of the run. */
export const PROGRESS_FILE = "progress.json";

const WRITE_EVERY_MS = 2000;

/** What {@link PROGRESS_FILE} contains. */
export interface RunProgressFile {
  /**
   * For each subscription: every message that was published before is processed, its rows are written, and it is acknowledged. ISO 8601;
   * null: not known.
   */
  readonly publishedUntil: Readonly<Record<SourceName, string | null>>;
}

/** A run with the gauges of its source. A `FlinkRun` is one. */
interface RunWithGauges {
  readonly workers: { readonly gauges: Readonly<Record<string, number>> };
}

function progressOf(run: RunWithGauges | undefined): RunProgressFile {
  const time = (source: SourceName): string | null => {
    const ms = run && publishedUntil(run.workers.gauges, source);
    return ms === undefined ? null : new Date(ms).toISOString();
  };
  return { publishedUntil: { live: time("live"), replay: time("replay") } };
}

/** Writes the progress of a run to a file in its state directory: how far a rebuild has caught up depends on it. */
export class ProgressFile {
  private readonly file: string;
  private timer: NodeJS.Timeout | undefined;
  private hasFailed = false;

  /**
   * Nothing is known of a run that begins.
   * @param onError called when the file cannot be written for the first time; it is tried again
   */
  constructor(
    directory: string,
    private readonly onError: (error: Error) => void,
  ) {
    this.file = path.join(directory, PROGRESS_FILE);
    this.write(undefined);
  }

  /** Writes the progress of a run periodically, until {@link stop}. */
  follow(run: RunWithGauges): void {
    this.timer = setInterval(() => this.write(run), WRITE_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private write(run: RunWithGauges | undefined): void {
    const temporary = `${this.file}.new`;
    try {
      // Replaced by a rename, so that a reader finds the old or the new content. It need not survive a power loss.
      writeFileSync(temporary, JSON.stringify(progressOf(run)) + "\n");
      renameSync(temporary, this.file);
      this.hasFailed = false;
    } catch (error) {
      if (!this.hasFailed) this.onError(error as Error);
      this.hasFailed = true;
    }
  }
}
