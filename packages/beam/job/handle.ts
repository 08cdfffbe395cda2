import "../sdk";
import { JobMessage_MessageImportance, JobState_Enum } from "apache-beam/proto/beam_job_api";
import type { JobServiceClient } from "apache-beam/proto/beam_job_api.client";
import { setTimeout as sleep } from "node:timers/promises";
import { withTimeout } from "@eventlogger/process/wait";
import { jobMetrics, type JobMetric } from "./metrics";

/** The job failed. The message contains the error messages of the runner. */
export class JobFailedError extends Error {
  constructor(
    /** `FAILED`, or a state that this library does not know. */
    readonly state: string,
    readonly runnerMessages: readonly string[],
  ) {
    super(`The job ended in state ${state}${runnerMessages.length ? `:\n${runnerMessages.join("\n")}` : ""}`);
    this.name = "JobFailedError";
  }
}

/** How a job ended that did not fail. `UPDATED`: another job has taken its place. */
export type JobEnd = "DONE" | "DRAINED" | "UPDATED" | "CANCELLED";

/** A submitted job. */
export interface Job {
  readonly id: string;
  /**
   * Resolves when the job has ended without a failure. Rejects with a {@link JobFailedError} when it has failed, and with the
   * error of gRPC when the job service does not know the job, refuses to answer, or has not answered for a minute.
   */
  readonly finished: Promise<JobEnd>;
  /** The current state: `RUNNING`, `DONE`, … */
  state(): Promise<string>;
  /** Cancels the job, and resolves when it has ended. A job that has ended already stays as it is. */
  cancel(): Promise<void>;
  /** The metrics that the runner reports. Flink's job server reports them only when the job has ended. */
  metrics(): Promise<JobMetric[]>;
  /** Closes the connection to the job service. The job runs on; a pending `finished` rejects. */
  close(): void;
}

const ENDS: Partial<Record<JobState_Enum, JobEnd>> = {
  [JobState_Enum.DONE]: "DONE",
  [JobState_Enum.DRAINED]: "DRAINED",
  [JobState_Enum.UPDATED]: "UPDATED",
  [JobState_Enum.CANCELLED]: "CANCELLED",
};

/** Errors of a call that may succeed later, by their names in gRPC. */
const TEMPORARY = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "INTERNAL", "UNKNOWN"]);

/** Times of {@link followJob}; ms. */
export interface FollowTimes {
  /** Time between two questions for the state. @default 250 */
  readonly pollMs?: number;
  /** Time limit of one question. @default 10000 */
  readonly callMs?: number;
  /** Time without an answer after which `finished` rejects. @default 60000 */
  readonly silenceMs?: number;
}

/**
 * Follows a job of a job service until it has ended.
 * @param disconnect closes the connection of the client
 */
export function followJob(
  client: JobServiceClient,
  jobId: string,
  disconnect: () => void,
  times: FollowTimes = {},
): Job {
  const { pollMs = 250, callMs = 10_000, silenceMs = 60_000 } = times;
  const closed = new AbortController();
  const errors: string[] = [];
  const messages = (async () => {
    for await (const { response } of client.getMessageStream({ jobId }).responses) {
      if (response.oneofKind !== "messageResponse") continue;
      const { importance, messageText } = response.messageResponse;
      if (importance >= JobMessage_MessageImportance.JOB_MESSAGE_ERROR) errors.push(messageText);
    }
  })().catch(() => {}); // the stream breaks when the job server exits
  const state = async (): Promise<JobState_Enum> =>
    (await client.getState({ jobId }, { timeout: callMs }).response).state;

  const ended = (async (): Promise<JobEnd> => {
    let answeredAt = performance.now();
    for (;;) {
      let current: JobState_Enum | undefined;
      try {
        current = await state();
        answeredAt = performance.now();
      } catch (error) {
        closed.signal.throwIfAborted();
        const { code } = error as { code?: string };
        if (!TEMPORARY.has(code ?? "") || performance.now() - answeredAt > silenceMs) throw error;
      }
      const end = current === undefined ? undefined : ENDS[current];
      if (end) return end;
      if (current === JobState_Enum.FAILED) {
        // The last messages may arrive after the state.
        await withTimeout(messages, 1000, "the messages of the job").catch(() => {});
        throw new JobFailedError(JobState_Enum[current], errors);
      }
      await sleep(pollMs, undefined, { signal: closed.signal });
    }
  })();
  const finished = ended.catch((error: unknown) => {
    throw closed.signal.aborted ? closed.signal.reason : error;
  });
  finished.catch(() => {}); // reported to callers that await it
  return {
    id: jobId,
    finished,
    state: async () => JobState_Enum[await state()],
    cancel: async () => {
      await client.cancel({ jobId }, { timeout: callMs }).response;
      await finished.catch((error: unknown) => {
        if (!(error instanceof JobFailedError)) throw error;
      });
    },
    metrics: async () => {
      const { metrics } = await client.getJobMetrics({ jobId }, { timeout: callMs }).response;
      return metrics ? jobMetrics(metrics) : [];
    },
    close: () => {
      closed.abort(new Error(`The connection to the job service was closed; job ${jobId} is no longer followed`));
      disconnect();
    },
  };
}
