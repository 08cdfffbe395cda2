import type { SubmissionProgress } from "../../runners/dataflow/submitter/submit";
import { LiveLine, type Output } from "@eventlogger/options/terminal";

/** A file that workers load. */
export interface StagedFile {
  readonly file: string;
  readonly bytes: number;
  /** Not when the bucket had it already, and not in a dry run. */
  readonly uploaded: boolean;
}

const MEGA = 1_000_000;

/** `164.2 MB`, `20 kB`. */
export function formatBytes(bytes: number): string {
  return bytes >= MEGA ? `${(bytes / MEGA).toFixed(1)} MB` : `${Math.ceil(bytes / 1000)} kB`;
}

/** Shows how far a submission is, and collects the files. */
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

  readonly take = (progress: SubmissionProgress): void => {
    const { current } = this;
    switch (progress.event) {
      case "staging":
        this.current = progress;
        this.live.draw(() => `staging ${progress.file}, ${formatBytes(progress.bytes)}`);
        break;
      case "uploading":
        if (!current) break; // the pipeline itself
        this.live.draw(() => `staging ${current.file}, ${formatBytes(progress.sent)} of ${formatBytes(current.bytes)}`);
        break;
      case "staged": {
        const { file, bytes, uploaded } = progress;
        this.files.push({ file, bytes, uploaded });
        this.current = undefined;
        this.end();
        this.say(`staged ${file}, ${formatBytes(bytes)}${uploaded ? "" : " (was in the bucket already)"}`);
        break;
      }
      case "submitting":
        this.sent = true;
        this.say("submitting the job");
    }
  };

  /** Takes the live line away. */
  end(): void {
    this.live.clear();
  }
}
