import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { cacheDir } from "@eventlogger/process/packageRoot";
import type { BuiltPipeline } from "../../runners/dataflow/buildForSubmission";
import { killRunningChildren } from "@eventlogger/process/childProcess";
import { ensureSubmitter } from "../../runners/dataflow/submitter/environment";
import { beamFlags, type UpdateSettings } from "../../runners/dataflow/submitter/beamFlags";
import { InterruptedError, submit } from "../../runners/dataflow/submitter/submit";
import { catchInterrupt, INTERRUPTED } from "../exitCodes";
import { progressOutput } from "../output";
import { colours } from "@eventlogger/options/terminal";
import { jobSettings, type LaunchOptions } from "./launchOptions";
import { StagingProgress, type StagedFile } from "./stagingProgress";

/** How long work that was stopped may take to clear up; ms. */
const CLEARING_UP_MS = 5000;

export interface Submitted {
  /** Undefined for a dry run. */
  readonly jobId: string | undefined;
  readonly files: readonly StagedFile[];
}

/** What `launch` and `update` do one after the other; each may be stopped by Ctrl-C. */
export class SubmissionRun {
  readonly say: (line: string) => void;
  readonly warn: (line: string) => void;
  /** Whether the request to create a job was sent. */
  private sent = false;
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
    const { buildForSubmission } = await import("../../runners/dataflow/buildForSubmission.js");
    return this.stoppable(
      buildForSubmission(
        {
          project: o.project,
          subscription: o.subscription,
          dataset: o.dataset,
          workerImage: o.image,
          eventsSemantics: o.eventsSemantics,
          sessionGapMs: o.sessionGap,
          lateAfterMs: o.lateAfter,
          earlyFiringMs: o.earlyFiring,
        },
        this.say,
      ),
    );
  }

  /** Stages files and submits; only writes down what would be submitted where there is a folder for it. */
  async submit(
    { proto, nodeModules }: BuiltPipeline,
    { update, replaceJobId, outputDir }: { update?: UpdateSettings; replaceJobId?: string; outputDir?: string },
  ): Promise<Submitted> {
    const settings = jobSettings(this.o);
    const python = await this.stoppable(
      ensureSubmitter(() =>
        this.say(`installing Beam's Dataflow runner for Python under ${cacheDir} (once, about a minute)`),
      ),
    );
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
      this.sent = progress.sent;
      progress.end();
    }
  }

  /** Runs the steps of a command. @returns its exit code */
  async run(steps: () => Promise<number>): Promise<number> {
    try {
      return await steps();
    } catch (error) {
      if (!this.signal.aborted) throw error;
      this.output.write(`${this.sent ? (error as Error).message : "stopped: no job was submitted"}\n`);
      return INTERRUPTED;
    } finally {
      this.interrupt.end();
    }
  }

  /**
   * The result of some work; when the user stops it, the processes that it started are ended, and it is given a moment
   * to clear up.
   * @throws InterruptedError
   */
  async stoppable<T>(work: Promise<T>): Promise<T> {
    const stopped = new Promise<undefined>((resolve) => {
      if (this.signal.aborted) resolve(undefined);
      this.signal.addEventListener("abort", () => resolve(undefined), { once: true });
    });
    const result = await Promise.race([work.then((value) => ({ value })), stopped]);
    if (result) return result.value;
    killRunningChildren();
    await Promise.race([work.catch(() => {}), setTimeout(CLEARING_UP_MS)]);
    throw new InterruptedError("Nothing was submitted");
  }
}
