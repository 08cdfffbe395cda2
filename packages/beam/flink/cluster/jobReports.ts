import type { FlinkRest } from "./flinkRest";

const POLL_MS = 2000;
/** A restart of the job ends the checkpoint that is being made; that is not its own failure. */
const ENDED_BY_RESTART = /Checkpoint Coordinator is (suspending|shutting down)/;

/** What a JobManager reports about a job. Everything begins at 0 with each job. */
export interface JobReports {
  /** How often Flink has started the job again. */
  readonly restarts: number;
  /** Checkpoints that Flink could not complete, without those that a restart has ended. */
  readonly failedCheckpoints: number;
  /** Why the last of them failed; undefined: none has. */
  readonly lastFailure: string | undefined;
}

/** Asks the JobManager of a cluster about a job, again and again. */
export class WatchedJob implements JobReports {
  restarts = 0;
  lastFailure: string | undefined;
  /** Ids of failed checkpoints; the JobManager forgets old ones. */
  private readonly failed = new Set<number>();
  private id: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  private constructor(
    private readonly rest: FlinkRest,
    private readonly name: string,
  ) {}

  /** @param name name of the job, of which only one runs */
  static start(rest: FlinkRest, name: string): WatchedJob {
    const job = new WatchedJob(rest, name);
    void job.poll();
    return job;
  }

  get failedCheckpoints(): number {
    return this.failed.size;
  }

  private async poll(): Promise<void> {
    try {
      await this.read();
    } catch {
      // The runner reports a JobManager that does not answer.
    }
    if (!this.isStopped) this.timer = setTimeout(() => void this.poll(), POLL_MS).unref();
  }

  private async read(): Promise<void> {
    this.id ??= (await this.rest.activeJobs(this.name))[0]?.id;
    if (this.id === undefined) return;
    this.restarts = Math.max(this.restarts, await this.rest.jobRestarts(this.id));
    for (const { id, reason } of await this.rest.failedCheckpoints(this.id)) {
      if (this.failed.has(id) || ENDED_BY_RESTART.test(reason)) continue;
      this.failed.add(id);
      this.lastFailure = reason;
    }
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }
}
