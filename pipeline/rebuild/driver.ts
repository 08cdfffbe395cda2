import type { Generation } from "@eventlogger/gcp/bigquery/generations";

/** Up to when a pipeline has processed a subscription: every message published before is counted, written and acknowledged. */
export interface PublishedUntil {
  /** Epoch ms by the clock of Pub/Sub; undefined while it is unknown, also when the pipeline does not run. */
  readonly live: number | undefined;
  /** The same for the replay subscription. */
  readonly replay: number | undefined;
}

/** What is known about the pipeline of a generation. */
export interface PipelineStatus {
  /**
   * `absent`: nothing computes the generation. `starting`: it does not process messages yet. `running`: it does.
   * `failed`: it has ended by itself, and {@link detail} tells why.
   */
  readonly state: "absent" | "starting" | "running" | "failed";
  /** One line for people, such as the job's id or the end of a log. */
  readonly detail: string | undefined;
  readonly publishedUntil: PublishedUntil;
}

/**
 * What a rebuild needs from the runner that computes the generations. Every method is safe to repeat, also after a kill in the
 * middle of it: it finds what was done and does the rest. A method throws a UserError for what a person must correct, and any
 * other error for what may be temporary; in both cases the same command goes on later.
 */
export interface RebuildDriver {
  readonly runner: "flink" | "dataflow";

  /**
   * Checks, before anything is changed, that the pipeline of the new generation can be started: options, permissions, free memory or
   * quotas. @throws UserError with all problems
   */
  check(active: Generation): Promise<void>;

  /**
   * Starts the pipeline of a generation that is being built, unless it runs. It reads `generation.subscription` and
   * `generation.replaySubscription` with `generation.settings`. Resolves when the runner has accepted it; {@link observe} then
   * tells when it runs. Records the job in the row of the generation before it can run.
   * @param signal ends the wait; what was started stays recorded
   */
  start(generation: Generation, signal: AbortSignal): Promise<void>;

  /** The pipeline of any generation, new or old. */
  observe(generation: Generation): Promise<PipelineStatus>;

  /**
   * Stops the pipeline of a generation that is being built, without keeping what it has not checkpointed: unacknowledged messages
   * are redelivered. Resolves when nothing computes the generation any more. For `--abort`.
   */
  stop(generation: Generation): Promise<void>;

  /**
   * Called after readers have been switched. Flink: tells the run of the old generation to look at its lease now, and stops the child
   * process of the new one, so that the run can follow. Dataflow: the new job goes on; nothing happens unless the old job must be told.
   */
  handOver(previous: Generation, active: Generation): Promise<void>;

  /**
   * Ends the pipeline of a retired generation. Flink: waits until its run has stopped by itself. Dataflow: cancels its job. Resolves
   * when nothing reads its subscription any more.
   */
  end(generation: Generation, signal: AbortSignal): Promise<void>;

  /** Removes the state of a generation that nothing computes. Flink: its state directory. Dataflow: nothing. */
  removeState(generation: Generation): Promise<void>;

  /** Sentences for a person after the end: what to start, or where to look. Empty: nothing is to be done. */
  advice(active: Generation, options: { readonly keepOld: boolean; readonly takeOver: boolean }): readonly string[];

  /**
   * Releases what this process holds, such as its child process, when the command ends or is interrupted. The generation can be
   * resumed by the same command.
   */
  close(): Promise<void>;
}
