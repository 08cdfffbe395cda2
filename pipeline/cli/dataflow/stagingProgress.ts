import type { SubmissionProgress } from "../../runners/dataflow/submitter/submit";
import { LiveLine, type Output } from "@eventlogger/options/terminal";

/** A staged file, which workers load. */
export interface StagedFile {
  readonly file: string;
  readonly bytes: number;
  /** False in a dry run, and when the file was in the bucket already. */
  readonly uploaded: boolean;
}

const MEGA = 1_000_000;

/** `164.2 MB`, `20 kB`. */
export function formatBytes(bytes: number): string {
  return bytes >= MEGA ? `${(bytes / MEGA).toFixed(1)} MB` : `${Math.ceil(bytes / 1000)} kB`;
}

/** Shows the progress of a submission and collects the staged files. */
export class StagingProgress {
  readonly files: StagedFile[] = [];
  /** Whether the request to create the job was sent. */
  sent = false;
  private readonly live: LiveLine;
  private current: { file: string; bytes: number } | undefined;

  constructor(
    output: Output,
    private readonly say: (line: string) => void,
  ) {
    this.live = new LiveLine(output);
  }

  readonly update = (progress: SubmissionProgress): void => {
    const { current } = this;
    switch (progress.event) {
      case "staging":
        this.current = progress;
        this.live.draw(() => `staging ${progress.file}, ${formatBytes(progress.bytes)}`);
        break;
      case "uploading":
        if (!current) break; // the pipeline proto, which is not a staged file
        this.live.draw(() => `staging ${current.file}, ${formatBytes(progress.sent)} of ${formatBytes(current.bytes)}`);
        break;
      case "staged": {
        const { file, bytes, uploaded } = progress;
        this.files.push({ file, bytes, uploaded });
        this.current = undefined;
        this.end();
        this.say(`staged ${file}, ${formatBytes(bytes)}${uploaded ? "" : " (already in the bucket)"}`);
        break;
      }
      case "submitting":
        this.sent = true;
        this.say("submitting the job");
    }
  };

  /** Removes the live line. */
  end(): void {
    this.live.clear();
  }
}
