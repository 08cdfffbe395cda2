import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { BuiltPipeline } from "../../runners/dataflow/buildForSubmission";
import { killRunningChildren } from "@eventlogger/process/childProcess";
import { InterruptedError } from "../../runners/dataflow/submitter/submit";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { INTERRUPTED } from "../exitCodes";
import { progressOutput } from "../output";
import { colours } from "@eventlogger/options/terminal";
import { buildJob, submitJob, type SubmitJobOptions, type Submitted } from "./jobSubmission";
import { recordJobOf, targetOf, type JobTarget } from "./jobTarget";
import type { LaunchOptions } from "./launchOptions";
import { settingsOf } from "./launchSettings";

/** Time that interrupted work has to clean up; ms. */
const CLEAN_UP_MS = 5000;

/** The common steps of `launch` and `update`. Ctrl-C stops each of them. */
export class SubmissionRun {
  readonly say: (line: string) => void;
  readonly warn: (line: string) => void;
  /** Whether the request to create a job was sent. */
  private sent = false;
  private readonly output;
  private readonly stop;

  constructor(private readonly o: LaunchOptions) {
    this.output = progressOutput(o.json);
    const { dim, yellow } = colours(this.output);
    this.say = (line) => void this.output.write(`${dim(line)}\n`);
    this.warn = (line) => void this.output.write(`${yellow("warning")} ${line}\n`);
    this.stop = onStopSignals({
      onStop: () => this.say("stopping; press Ctrl-C again to stop at once"),
      exitCode: INTERRUPTED,
    });
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  /** Creates the output folder of a dry run. @returns undefined without --dry-run */
  outputDir(): string | undefined {
    if (!this.o.dryRun) return undefined;
    const dir = resolve(this.o.output ?? "eventlogger-dry-run");
    mkdirSync(dir, { recursive: true });
    return dir;
  }

  /**
   * The generation that the job computes: the active one, which is created in a new dataset. A dry run does not read the dataset, so that
   * its pipeline lacks the secret of the hash in the keys of state.
   * @throws Error when the dataset cannot be read, or has other definitions
   */
  async target({ update }: { readonly update: boolean }): Promise<JobTarget> {
    const { o } = this;
    if (o.dryRun) return targetOf(o, undefined);
    const { requireGeneration } = await import("../../runners/dataflow/preflight/recordSettings.js");
    return targetOf(o, await this.stoppable(requireGeneration(settingsOf(o, { update }))));
  }

  /** Builds the pipeline. The first time, this also builds the Java parts. */
  async build(target: JobTarget): Promise<BuiltPipeline> {
    return this.stoppable(buildJob(this.o, target, this.say));
  }

  /** Stages the files and submits the job. With `outputDir`, only writes the request and the graph of the job to that folder. */
  async submit(
    target: JobTarget,
    built: BuiltPipeline,
    options: Pick<SubmitJobOptions, "update" | "replaceJobId" | "fromSnapshot" | "outputDir">,
  ): Promise<Submitted> {
    const { o, say, output, signal } = this;
    const onSent = (): void => void (this.sent = true);
    const submitted = await submitJob(o, target, built, { ...options, say, output, signal, onSent });
    if (options.outputDir !== undefined) {
      // Imported here, because Beam takes a while to load.
      const { writeGraph } = await import("./writeGraph.js");
      writeGraph(options.outputDir, o, target, built.proto);
    }
    return submitted;
  }

  /**
   * Records a submitted job in the row of its generation. Only warns when that fails: the job runs, and is found by its name.
   */
  async recordJob(target: JobTarget, jobId: string): Promise<void> {
    try {
      await recordJobOf(this.o, target, jobId);
    } catch (error) {
      this.warn(`the job was submitted, but it is not recorded in the table generations: ${(error as Error).message}`);
    }
  }

  /** Runs a command. @returns its exit code */
  async run(steps: () => Promise<number>): Promise<number> {
    try {
      return await steps();
    } catch (error) {
      if (!this.signal.aborted) throw error;
      this.output.write(`${this.sent ? (error as Error).message : "stopped: no job was submitted"}\n`);
      return INTERRUPTED;
    } finally {
      this.stop.dispose();
    }
  }

  /**
   * Waits for work. On a stop signal, stops its child processes and gives it a moment to clean up.
   * @throws InterruptedError after a stop signal
   */
  async stoppable<T>(work: Promise<T>): Promise<T> {
    const stopped = this.stop.received.then(() => undefined);
    const result = await Promise.race([work.then((value) => ({ value })), stopped]);
    if (result) return result.value;
    killRunningChildren();
    await Promise.race([work.catch(() => {}), setTimeout(CLEAN_UP_MS)]);
    throw new InterruptedError("Nothing was submitted");
  }
}
