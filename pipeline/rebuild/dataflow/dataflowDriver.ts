import { isRunning, type Generation, type GenerationJob } from "@eventlogger/gcp/bigquery/generations";
import { UserError } from "@eventlogger/process/main";
import type { DataflowJobs, Job } from "../../runners/dataflow/dataflowJobs";
import { hasEnded, isEnding, isProcessing, stateName } from "../../runners/dataflow/jobState";
import { pause } from "../context";
import type { PipelineStatus, PublishedUntil, RebuildDriver } from "../driver";
import { recordOf } from "../record";
import type { SubscriptionProgress } from "./publishedUntil";

const POLL_MS = 5000;
const OBSERVE_MS = 10_000;
/** Clocks of BigQuery and Dataflow may differ; ms. */
const CLOCK_SKEW_MS = 60_000;
const UNKNOWN: PublishedUntil = { live: undefined, replay: undefined };

/** The job of the new generation has ended, and its state with it. Remove the new generation, and begin again. */
export class JobEndedError extends UserError {
  constructor(generation: number, { name, id, state }: Job, takeOver: boolean) {
    super(
      `Job ${name} (${id}), which computes generation ${generation}, is ${stateName(state)}, and its state is lost. Remove the ` +
        `generation: \`eventlogger rebuild --abort\`. Then begin again: \`eventlogger rebuild${takeOver ? " --take-over" : ""}\`, with the ` +
        "same options",
    );
    this.name = "JobEndedError";
  }
}

export interface DataflowDriverOptions {
  /** The jobs of a region: that of the old job can be another one. */
  readonly jobsIn: (region: string) => Pick<DataflowJobs, "findNewest" | "get" | "cancel" | "drain">;
  readonly progress: Pick<SubscriptionProgress, "publishedUntil">;
  /** The region of the new job, such as `europe-west1`. */
  readonly region: string;
  /** The name of the job of a generation. */
  readonly jobName: (generation: number) => string;
  /** Preflight checks of a launch. @throws UserError with all problems */
  readonly preflight: (active: Generation) => Promise<void>;
  /**
   * Submits the job of a generation, with its settings and subscriptions. Builds the pipeline and stages its files first.
   * @returns the id of the job
   */
  readonly submit: (generation: Generation, signal: AbortSignal) => Promise<string>;
  /** Reads the row of a generation. */
  readonly read: (generation: number) => Promise<Generation | undefined>;
  readonly recordJob: (generation: number, job: GenerationJob) => Promise<void>;
  /** Interval at which the state of a job that ends is read; ms. @default 5 s */
  readonly pollMs?: number;
  /** How long an observation is repeated instead of a new one, because metrics change once a minute; ms. @default 10 s */
  readonly observeMs?: number;
}

interface Observation {
  readonly at: number;
  readonly status: Promise<PipelineStatus>;
}

/**
 * The pipelines of a rebuild on Dataflow: a second job beside the one of the active generation. It keeps running after the switch.
 *
 * The old job is cancelled, not drained: its numbers are retired, and everything that it has in flight was published after the new
 * subscription existed, so that the new job has it too, and writes its raw row. With `--take-over` the new job alone gets the
 * messages, so that `--abort` drains it: what it has acknowledged is written.
 */
export class DataflowDriver implements RebuildDriver {
  readonly runner = "dataflow";
  private readonly observations = new Map<number, Observation>();
  /** Ids of jobs that the rows of their generations may lack. */
  private readonly ids = new Map<number, string>();

  constructor(private readonly options: DataflowDriverOptions) {}

  async check(active: Generation): Promise<void> {
    await this.options.preflight(active);
  }

  async start(generation: Generation, signal: AbortSignal): Promise<void> {
    const { generation: id } = generation;
    const { region, jobName, recordJob, submit } = this.options;
    const found = await this.jobOf(generation, signal);
    if (found && isEnding(found.state)) throw new JobEndedError(id, found, recordOf(generation)?.takeOver ?? false);
    const job = { runner: "dataflow", region, name: jobName(id) } as const;
    this.observations.clear();
    if (found) {
      // It was submitted by a command that was interrupted before it could record the id.
      if (recordedId(generation) !== found.id) await recordJob(id, { ...job, id: found.id });
      return;
    }
    // Before it is submitted, so that everybody can find it by its name.
    await recordJob(id, job);
    const jobId = await submit(generation, signal);
    this.ids.set(id, jobId);
    await recordJob(id, { ...job, id: jobId });
  }

  observe(generation: Generation): Promise<PipelineStatus> {
    const { generation: id } = generation;
    const known = this.observations.get(id);
    const now = performance.now();
    if (known && now - known.at < (this.options.observeMs ?? OBSERVE_MS)) return known.status;
    const status = this.look(generation);
    this.observations.set(id, { at: now, status });
    // An error is not repeated: the next call tries again.
    status.catch(() => this.observations.delete(id));
    return status;
  }

  private async look(generation: Generation): Promise<PipelineStatus> {
    if (generation.job?.runner === "flink") return this.observeRun(generation);
    const job = await this.jobOf(generation);
    if (!job) return { state: "absent", detail: undefined, publishedUntil: UNKNOWN };
    const detail = `job ${job.name} (${job.id}) is ${stateName(job.state)}`;
    if (isEnding(job.state)) return { state: "failed", detail, publishedUntil: UNKNOWN };
    if (!isProcessing(job.state)) return { state: "starting", detail, publishedUntil: UNKNOWN };
    return { state: "running", detail, publishedUntil: await this.publishedUntil(generation, job.id) };
  }

  async stop(generation: Generation): Promise<void> {
    await this.endJob(generation, { drain: recordOf(generation)?.takeOver ?? false });
  }

  /** The new job keeps running, and the old one is ended by {@link end}. */
  async handOver(_previous: Generation, active: Generation): Promise<void> {
    // A command that was interrupted may have submitted the job without recording its id.
    const job = await this.jobOf(active);
    if (!job || recordedId(active) === job.id) return;
    const { region } = this.options;
    await this.options.recordJob(active.generation, { runner: "dataflow", region, name: job.name, id: job.id });
  }

  async end(generation: Generation, signal: AbortSignal): Promise<void> {
    if (generation.job?.runner !== "flink") {
      await this.endJob(generation, { drain: false, signal });
      return;
    }
    // The run notices within a minute that its generation is retired.
    for (;;) {
      const row = await this.options.read(generation.generation);
      if (!row || !isRunning(row)) return;
      await pause(this.options.pollMs ?? POLL_MS, signal);
    }
  }

  async removeState(): Promise<void> {
    // The state of a job ends with it.
  }

  advice(active: Generation, { keepOld }: { readonly keepOld: boolean }): readonly string[] {
    const { job, generation } = active;
    if (job?.runner !== "dataflow") return [];
    const name = `job ${job.name}${job.id === undefined ? "" : ` (${job.id})`}`;
    return [
      `${name} computes generation ${generation}. \`eventlogger update\` and \`eventlogger launch\` find it by the options as before`,
      ...(keepOld ? ["the job of the previous generation keeps running, and costs as much"] : []),
    ];
  }

  async close(): Promise<void> {
    // Jobs do not depend on this process.
  }

  /**
   * The job of a generation, after updates the newest one. Undefined: there was never one.
   * The row may lack its id when a command was interrupted.
   */
  private async jobOf(generation: Generation, signal?: AbortSignal): Promise<Job | undefined> {
    const { jobName } = this.options;
    const { job: recorded } = generation;
    if (recorded?.runner === "flink") return undefined;
    const jobs = this.jobsOf(generation);
    const id = recorded?.id ?? this.ids.get(generation.generation);
    const name = recorded?.name ?? jobName(generation.generation);
    let job = id === undefined ? undefined : await jobs.get(id, signal);
    job ??= await jobs.findNewest(name, Date.parse(generation.createdAt) - CLOCK_SKEW_MS, signal);
    for (let next = job?.replacedBy; next !== undefined; next = job?.replacedBy) {
      const replacement = await jobs.get(next, signal);
      if (!replacement) break;
      job = replacement;
    }
    return job;
  }

  private jobsOf({ job }: Generation): ReturnType<DataflowDriverOptions["jobsIn"]> {
    return this.options.jobsIn(job?.runner === "dataflow" ? job.region : this.options.region);
  }

  private async publishedUntil(
    { subscription, replaySubscription }: Generation,
    jobId: string | undefined,
  ): Promise<PublishedUntil> {
    const { progress } = this.options;
    const until = async (name: string | null): Promise<number | undefined> =>
      name === null ? undefined : progress.publishedUntil(name, jobId);
    const [live, replay] = await Promise.all([until(subscription), until(replaySubscription)]);
    return { live, replay };
  }

  /** A run on Flink, on whatever machine: it acknowledges a message only when its rows are written. */
  private async observeRun(generation: Generation): Promise<PipelineStatus> {
    const row = await this.options.read(generation.generation);
    if (!row || !isRunning(row)) return { state: "absent", detail: undefined, publishedUntil: UNKNOWN };
    return { state: "running", detail: row.lease?.holder, publishedUntil: await this.publishedUntil(row, undefined) };
  }

  /** Ends a job and waits until it has ended. */
  private async endJob(
    generation: Generation,
    { drain, signal }: { drain: boolean; signal?: AbortSignal },
  ): Promise<void> {
    const { pollMs = POLL_MS } = this.options;
    const jobs = this.jobsOf(generation);
    this.observations.clear();
    let job = await this.jobOf(generation, signal);
    if (job && !isEnding(job.state)) {
      await (drain ? jobs.drain(job.id, signal) : jobs.cancel(job.id, signal));
    }
    while (job && !hasEnded(job.state)) {
      await pause(pollMs, signal ?? new AbortController().signal);
      job = await jobs.get(job.id, signal);
    }
  }
}

function recordedId({ job }: Generation): string | undefined {
  return job?.runner === "dataflow" ? job.id : undefined;
}
