import { UserError } from "@eventlogger/process/main";
import { waitUntil } from "@eventlogger/process/wait";

/** A call to the REST endpoint of a Flink cluster failed. The message contains the address. */
export class FlinkRestError extends UserError {
  constructor(address: string, problem: string, options?: ErrorOptions) {
    super(`The Flink cluster at ${address} ${problem}`, options);
    this.name = "FlinkRestError";
  }
}

/** A TaskManager that is registered with the JobManager. */
export interface TaskManager {
  readonly id: string;
  /** The address under which it is known to the JobManager. */
  readonly host: string;
  readonly slots: number;
  readonly freeSlots: number;
}

/** A job that the JobManager knows. */
export interface ClusterJob {
  readonly id: string;
  readonly name: string;
  /** `RUNNING`, `RESTARTING`, `CANCELED`, … */
  readonly state: string;
}

/** A checkpoint that was not completed. */
export interface FailedCheckpoint {
  readonly id: number;
  readonly reason: string;
}

const TERMINAL = new Set(["FINISHED", "CANCELED", "FAILED"]);
const CALL_LIMIT_MS = 10_000;

/** The parts of Flink's REST API that a launcher uses. */
export class FlinkRest {
  /** @param address `host:port` of the REST endpoint of the JobManager */
  constructor(readonly address: string) {}

  private async call(method: "GET" | "PATCH", path: string): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(`http://${this.address}${path}`, { method, signal: AbortSignal.timeout(CALL_LIMIT_MS) });
    } catch (cause) {
      const reason = cause instanceof Error ? ((cause.cause as Error | undefined)?.message ?? cause.message) : "";
      throw new FlinkRestError(this.address, `does not answer (${reason}). Check --flink-master`, { cause });
    }
    const text = await response.text();
    if (!response.ok) throw new FlinkRestError(this.address, `answered ${response.status} to ${path}: ${text}`);
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new FlinkRestError(this.address, `is not Flink: its answer to ${path} is not JSON`, { cause });
    }
  }

  async taskManagers(): Promise<TaskManager[]> {
    const { taskmanagers } = (await this.call("GET", "/taskmanagers")) as {
      taskmanagers: { id: string; path: string; slotsNumber: number; freeSlots: number }[];
    };
    return taskmanagers.map(({ id, path, slotsNumber, freeSlots }) => {
      // pekko.tcp://flink@HOST:PORT/user/rpc/taskmanager_0
      const host = /@(\[[^\]]+\]|[^:/]+):\d+\//.exec(path)?.[1];
      if (host === undefined) throw new FlinkRestError(this.address, `has a TaskManager with the address "${path}"`);
      return { id, host, slots: slotsNumber, freeSlots };
    });
  }

  async jobs(): Promise<ClusterJob[]> {
    const { jobs } = (await this.call("GET", "/jobs/overview")) as {
      jobs: { jid: string; name: string; state: string }[];
    };
    return jobs.map(({ jid, name, state }) => ({ id: jid, name, state }));
  }

  /** The jobs with a name that have not ended. */
  async activeJobs(name: string): Promise<ClusterJob[]> {
    return (await this.jobs()).filter((job) => job.name === name && !TERMINAL.has(job.state));
  }

  /** How often a job was restarted; 0 while the JobManager has no metrics of it. They are up to 10 seconds old. */
  async jobRestarts(id: string): Promise<number> {
    const metrics = (await this.call("GET", `/jobs/${id}/metrics?get=numRestarts`)) as { id: string; value: string }[];
    return Number(metrics.find((metric) => metric.id === "numRestarts")?.value ?? 0);
  }

  /** The checkpoints of a job that have failed lately, oldest first. The JobManager remembers its last 10 checkpoints. */
  async failedCheckpoints(id: string): Promise<FailedCheckpoint[]> {
    const { history } = (await this.call("GET", `/jobs/${id}/checkpoints`)) as {
      history: { id: number; status: string; failure_message?: string | null }[];
    };
    return history
      .filter(({ status }) => status === "FAILED")
      .map((checkpoint) => ({ id: checkpoint.id, reason: checkpoint.failure_message ?? "unknown reason" }))
      .sort((a, b) => a.id - b.id);
  }

  /** The configuration of the JobManager. */
  async configuration(): Promise<ReadonlyMap<string, string>> {
    const entries = (await this.call("GET", "/jobmanager/config")) as { key: string; value: string }[];
    return new Map(entries.map(({ key, value }) => [key, value]));
  }

  /**
   * Cancels every job with a name, and waits until they have ended.
   * @returns the number of jobs that were cancelled
   * @throws FlinkRestError; TimeoutError when a job does not end in time
   */
  async cancelJobs(name: string, timeoutMs: number): Promise<number> {
    const jobs = await this.activeJobs(name);
    for (const { id } of jobs) await this.call("PATCH", `/jobs/${id}?mode=cancel`);
    if (jobs.length > 0) {
      const ended = async (): Promise<boolean> => (await this.activeJobs(name)).length === 0;
      await waitUntil("the cancelled job to end", ended, { timeoutMs, intervalMs: 200 });
    }
    return jobs.length;
  }
}
