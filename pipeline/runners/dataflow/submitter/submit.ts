import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChildProcess } from "@eventlogger/process/childProcess";
import { submitterDir } from "./environment";
import { submissionError, type Failure } from "./submissionError";

/** A pipeline with its flags. */
export interface Submission {
  /** The encoded pipeline proto. */
  readonly pipeline: Uint8Array;
  readonly jobName: string;
  /** Pipeline options of Beam's Python SDK, as on a command line. */
  readonly flags: readonly string[];
  /** Modules that a worker loads at its start. */
  readonly nodeModules: readonly string[];
  /** Id of the job that the new job replaces. */
  readonly replaceJobId?: string | undefined;
  /** Makes a dry run: writes `pipeline.pb` and `job.json` to this folder and submits nothing. */
  readonly outputDir?: string | undefined;
}

/** Progress of a submission; bytes of one file. */
export type SubmissionProgress =
  | { readonly event: "staging"; readonly file: string; readonly bytes: number }
  | { readonly event: "uploading"; readonly sent: number }
  /** `uploaded` is false in a dry run, and when the file was in the bucket already. */
  | { readonly event: "staged"; readonly file: string; readonly bytes: number; readonly uploaded: boolean }
  | { readonly event: "submitting" };

type SubmitterEvent =
  | SubmissionProgress
  | { readonly event: "done"; readonly jobId: string | null }
  | ({ readonly event: "failed" } & Failure);

export interface SubmitOptions {
  /** See {@link ensureSubmitter}. */
  readonly python: string;
  readonly onProgress?: (progress: SubmissionProgress) => void;
  /**
   * Stops the submission. If the request to create the job was sent, waits for its response first, to learn whether the
   * job exists.
   */
  readonly signal?: AbortSignal;
  /** Ends the submission after this time without progress; ms. @default 10 min */
  readonly stallMs?: number;
  /** How long to wait for the response after the signal; ms. @default 60 s */
  readonly responseTimeoutMs?: number;
}

/** The submission was stopped before anything was submitted. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

/**
 * Stages the files of a pipeline and submits it, with Beam's Dataflow runner for Python.
 * @returns the id of the job; undefined for a dry run
 * @throws InterruptedError, SubmissionError, CredentialsError, GoogleApiError
 */
export async function submit(submission: Submission, options: SubmitOptions): Promise<string | undefined> {
  const { jobName, outputDir } = submission;
  const { signal, stallMs = 600_000, responseTimeoutMs = 60_000, onProgress } = options;
  if (signal?.aborted) throw new InterruptedError("Nothing was submitted");
  const dir = mkdtempSync(join(tmpdir(), "submit-"));
  let last: SubmitterEvent | undefined;
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
        last = JSON.parse(line) as SubmitterEvent;
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
      else setTimeout(() => void child.stop(1000), responseTimeoutMs).unref();
    };
    signal?.addEventListener("abort", onAbort);
    const status = await child.exited;
    signal?.removeEventListener("abort", onAbort);
    await child.stop(0); // and its children
    const outcome = last;
    if (outcome?.event === "done") return outcome.jobId ?? undefined;
    const log = { file: "the submitter's log", tail: child.logTail(15) };
    if (outcome?.event === "failed") throw submissionError(outcome, jobName, sent, log);
    if (signal?.aborted && !sent) throw new InterruptedError("Nothing was submitted");
    const how = stalled
      ? `no progress for ${stallMs / 1000} s`
      : signal?.aborted
        ? `no response for ${responseTimeoutMs / 1000} s`
        : `the submitter exited (${status.signal ?? `exit code ${status.code}`})`;
    throw sent
      ? submissionError({ kind: "unavailable", status: 0, message: how }, jobName, sent, log)
      : submissionError({ kind: "other", status: 0, message: how }, jobName, sent, log);
  } finally {
    clearTimeout(timer);
    rmSync(dir, { recursive: true, force: true });
  }
}
