import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { FIRST_GENERATION } from "@eventlogger/gcp/bigquery/generations/generation";
import { replaySubscription } from "@eventlogger/gcp/pubsub/replayNames";
import type { BuiltPipeline } from "../../runners/dataflow/buildForSubmission";
import { killRunningChildren } from "@eventlogger/process/childProcess";
import { ensureSubmitter } from "../../runners/dataflow/submitter/environment";
import { beamFlags, type UpdateSettings } from "../../runners/dataflow/submitter/beamFlags";
import { InterruptedError, submit } from "../../runners/dataflow/submitter/submit";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { DEFAULT_DEFINITIONS } from "../definitionOptions";
import { INTERRUPTED } from "../exitCodes";
import { progressOutput } from "../output";
import { colours } from "@eventlogger/options/terminal";
import { jobSettings, type LaunchOptions } from "./launchOptions";
import { StagingProgress, type StagedFile } from "./stagingProgress";

/** Time that interrupted work has to clean up; ms. */
const CLEAN_UP_MS = 5000;

export interface Submitted {
  /** Undefined in a dry run. */
  readonly jobId: string | undefined;
  readonly files: readonly StagedFile[];
}

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
   * Builds the pipeline. The first time, this also builds the Java parts. A dry run does not read the dataset, so that its
   * pipeline lacks the secret of the hash in the keys of state, and has the default definitions where no options change them.
   */
  async build({ update }: { readonly update: boolean }): Promise<BuiltPipeline> {
    const { o } = this;
    const { recordedDefinitions } = await import("../../runners/dataflow/preflight/recordSettings.js");
    const { sessionGap: sessionGapMs = DEFAULT_DEFINITIONS.sessionGapMs, timeZone } = o;
    const definitions = o.dryRun
      ? { sessionGapMs, timeZone, shardHashSecret: undefined }
      : await this.stoppable(recordedDefinitions({ ...o, sessionGapMs: o.sessionGap, update }));
    // Imported here, because Beam takes a while to load.
    const { buildForSubmission } = await import("../../runners/dataflow/buildForSubmission.js");
    return this.stoppable(
      buildForSubmission(
        {
          project: o.project,
          subscription: o.subscription,
          replaySubscription: replaySubscription(o.subscription, FIRST_GENERATION),
          dataset: o.dataset,
          workerImage: o.image,
          eventsSemantics: o.eventsSemantics,
          sessionWindows: o.sessionWindows,
          lateAfterMs: o.lateAfter,
          earlyFiringMs: o.earlyFiring,
          ...definitions,
          // Above the versions of jobs of earlier releases, which are epoch milliseconds.
          versionFloor: Date.now(),
        },
        this.say,
      ),
    );
  }

  /** Stages the files and submits the job. With `outputDir`, only writes the request to that folder. */
  async submit(
    { proto, nodeModules }: BuiltPipeline,
    { update, replaceJobId, outputDir }: { update?: UpdateSettings; replaceJobId?: string; outputDir?: string },
  ): Promise<Submitted> {
    const settings = jobSettings(this.o);
    const python = await this.stoppable(
      ensureSubmitter(() =>
        this.say(`installing Beam's Dataflow runner for Python in ${cacheDir} (once, about a minute)`),
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
      const jobId = await submit(submission, { python, onProgress: progress.update, signal: this.signal });
      return { jobId, files: progress.files };
    } finally {
      this.sent = progress.sent;
      progress.end();
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
