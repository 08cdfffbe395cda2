import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChildProcess } from "@eventlogger/process/childProcess";
import { submitterDir } from "./environment";
import { submissionError, type Failure } from "./submissionError";

/** What is submitted. */
export interface Submission {
  /** The pipeline proto, encoded. */
  readonly pipeline: Uint8Array;
  readonly jobName: string;
  /** Pipeline options of Beam's Python SDK, as on a command line. */
  readonly flags: readonly string[];
  /** Modules that a worker has to load. */
  readonly nodeModules: readonly string[];
  /** Id of the job that this one replaces. */
  readonly replaceJobId?: string | undefined;
  /** For a dry run: `pipeline.pb` and `job.json` are written to this folder, and nothing is submitted. */
  readonly outputDir?: string | undefined;
}

/** How far a submission is; bytes of one file. */
export type SubmissionProgress =
  | { readonly event: "staging"; readonly file: string; readonly bytes: number }
  | { readonly event: "uploading"; readonly sent: number }
  /** In a dry run, and where the file was in the bucket already, it was not uploaded. */
  | { readonly event: "staged"; readonly file: string; readonly bytes: number; readonly uploaded: boolean }
  | { readonly event: "submitting" };

type Answer =
  | SubmissionProgress
  | { readonly event: "done"; readonly jobId: string | null }
  | ({ readonly event: "failed" } & Failure);

export interface SubmitOptions {
  /** See {@link ensureSubmitter}. */
  readonly python: string;
  readonly onProgress?: (progress: SubmissionProgress) => void;
  /**
   * Ends the submission, unless the request to create the job is on its way: then its answer is awaited, for otherwise
   * nobody would know whether there is a job.
   */
  readonly signal?: AbortSignal;
  /** For so long without any progress; ms. @default 10 min */
  readonly stallMs?: number;
  /** For the answer when the signal comes while the request is on its way; ms. @default 60 s */
  readonly answerWithinMs?: number;
}

/** It was stopped before anything was submitted. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

/**
 * Stages the files that a pipeline needs, and submits it, by Beam's Dataflow runner for Python.
 * @returns the id of the job; undefined for a dry run
 * @throws InterruptedError, SubmissionError, CredentialsError, GoogleApiError
 */
export async function submit(submission: Submission, options: SubmitOptions): Promise<string | undefined> {
  const { jobName, outputDir } = submission;
  const { signal, stallMs = 600_000, answerWithinMs = 60_000, onProgress } = options;
  if (signal?.aborted) throw new InterruptedError("Nothing was submitted");
  const dir = mkdtempSync(join(tmpdir(), "submit-"));
  let last: Answer | undefined;
  let sent = false;
  let stalled = false;
  let timer: NodeJS.Timeout | undefined;
  try {
    const request = join(dir, "request.json");
    const pipeline = join(dir, "pipeline.pb");
    writeFileSync(pipeline, submission.pipeline);
    const { flags, nodeModules, replaceJobId = null } = submission;
    writeFileSync(
      request,
      JSON.stringify({ pipeline, flags, nodeModules, replaceJobId, outputDir: outputDir ?? null }),
    );
    const child = await startChildProcess({
      name: "Beam's Dataflow runner",
      command: options.python,
      args: [join(submitterDir, "submit.py"), request],
      cwd: dir,
      logFile: join(dir, "log"),
      onLine: (line) => {
        last = JSON.parse(line) as Answer;
        timer?.refresh();
        if (last.event === "submitting") sent = true;
        if (last.event !== "done" && last.event !== "failed") onProgress?.(last);
      },
    });
    timer = setTimeout(() => {
      stalled = true;
      void child.stop();
    }, stallMs);
    const onAbort = (): void => {
      if (!sent) void child.stop(1000);
      else setTimeout(() => void child.stop(1000), answerWithinMs).unref();
    };
    signal?.addEventListener("abort", onAbort);
    const status = await child.exited;
    signal?.removeEventListener("abort", onAbort);
    await child.stop(0); // with whatever it started
    const answer = last;
    if (answer?.event === "done") return answer.jobId ?? undefined;
    const log = { file: "the submitter's log", tail: child.logTail(15) };
    if (answer?.event === "failed") throw submissionError(answer, jobName, sent, log);
    if (signal?.aborted && !sent) throw new InterruptedError("Nothing was submitted");
    const how = stalled
      ? `nothing happened for ${stallMs / 1000} s`
      : signal?.aborted
        ? `there was no answer for ${answerWithinMs / 1000} s`
        : `the submitter ended (${status.signal ?? `exit code ${status.code}`})`;
    throw sent
      ? submissionError({ kind: "unavailable", status: 0, message: how }, jobName, sent, log)
      : submissionError({ kind: "other", status: 0, message: how }, jobName, sent, log);
  } finally {
    clearTimeout(timer);
    rmSync(dir, { recursive: true, force: true });
  }
}
