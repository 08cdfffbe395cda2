import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { cacheDir } from "../../../config/packageRoot";
import type { BuiltPipeline } from "../../runners/dataflow/builtPipeline";
import { ensureSubmitter } from "../../runners/dataflow/submitter/environment";
import { beamFlags, type UpdateSettings } from "../../runners/dataflow/submitter/beamFlags";
import { InterruptedError, submit } from "../../runners/dataflow/submitter/submit";
import { catchInterrupt, INTERRUPTED } from "../interrupt";
import { progressOutput } from "../jsonOption";
import { colours } from "../terminal";
import { jobSettings, type LaunchOptions } from "./launchOptions";
import { StagingProgress, type StagedFile } from "./stagingProgress";

export interface Submitted {
  /** Undefined for a dry run. */
  readonly jobId: string | undefined;
  readonly files: readonly StagedFile[];
}

/** What `launch` and `update` do one after the other; each may be stopped by Ctrl-C. */
export class SubmissionRun {
  readonly say: (line: string) => void;
  readonly warn: (line: string) => void;
  private readonly output;
  private readonly interrupt;

  constructor(private readonly o: LaunchOptions) {
    this.output = progressOutput(o.json);
    const { dim, yellow } = colours(this.output);
    this.say = (line) => void this.output.write(`${dim(line)}\n`);
    this.warn = (line) => void this.output.write(`${yellow("warning")} ${line}\n`);
    this.interrupt = catchInterrupt(() => this.say("stopping; once more stops at once"));
  }

  get signal(): AbortSignal {
    return this.interrupt.signal;
  }

  /** The folder that a dry run writes to, made. */
  outputDir(): string | undefined {
    if (!this.o.dryRun) return undefined;
    const dir = resolve(this.o.output ?? "eventlogger-dry-run");
    mkdirSync(dir, { recursive: true });
    return dir;
  }

  /** Builds the pipeline: Java parts (once), expansion. */
  async build(): Promise<BuiltPipeline> {
    const { o } = this;
    // Loaded only here: Beam takes a while to load.
    const { buildForSubmission } = await import("../../runners/dataflow/builtPipeline.js");
    const built = await buildForSubmission(
      {
        project: o.project,
        subscription: o.subscription,
        dataset: o.dataset,
        workerImage: o.image,
        eventsSemantics: o.eventsSemantics as "exactly-once" | "at-least-once",
        sessionGapMs: o.sessionGap,
        lateAfterMs: o.lateAfter,
        earlyFiringMs: o.earlyFiring,
      },
      this.say,
    );
    this.throwIfStopped();
    return built;
  }

  /** Stages files and submits; only writes down what would be submitted where there is a folder for it. */
  async submit(
    { proto, nodeModules }: BuiltPipeline,
    { update, replaceJobId, outputDir }: { update?: UpdateSettings; replaceJobId?: string; outputDir?: string },
  ): Promise<Submitted> {
    const settings = jobSettings(this.o);
    const python = await ensureSubmitter(() =>
      this.say(`installing Beam's Dataflow runner for Python under ${cacheDir} (once, about a minute)`),
    );
    this.throwIfStopped();
    const progress = new StagingProgress(this.output, outputDir === undefined ? this.say : () => {});
    try {
      const submission = {
        pipeline: proto,
        jobName: settings.jobName,
        flags: beamFlags(settings, update),
        nodeModules,
        replaceJobId,
        outputDir,
      };
      const jobId = await submit(submission, { python, onProgress: progress.take, signal: this.signal });
      return { jobId, files: progress.files };
    } finally {
      progress.end();
    }
  }

  /** Runs the steps of a command. @returns its exit code */
  async run(steps: () => Promise<number>): Promise<number> {
    try {
      return await steps();
    } catch (error) {
      if (!this.signal.aborted) throw error;
      // What ends a step that is stopped says nothing, unless the request was on its way.
      if (!(error instanceof InterruptedError) && (error as Error).name !== "AbortError") {
        this.output.write(`${(error as Error).message}\n`);
      } else {
        this.output.write("stopped: no job was submitted\n");
      }
      return INTERRUPTED;
    } finally {
      this.interrupt.end();
    }
  }

  throwIfStopped(): void {
    if (this.signal.aborted) throw new InterruptedError("Nothing was submitted");
  }
}
