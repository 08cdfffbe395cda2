import { cacheDir } from "@eventlogger/process/packageRoot";
import type { Output } from "@eventlogger/options/terminal";
import type { BuiltPipeline } from "../../runners/dataflow/buildForSubmission";
import { beamFlags, type UpdateSettings } from "../../runners/dataflow/submitter/beamFlags";
import { ensureSubmitter } from "../../runners/dataflow/submitter/environment";
import { submit } from "../../runners/dataflow/submitter/submit";
import type { JobTarget } from "./jobTarget";
import { jobSettings, type LaunchOptions } from "./launchOptions";
import { StagingProgress, type StagedFile } from "./stagingProgress";

export interface Submitted {
  /** Undefined in a dry run. */
  readonly jobId: string | undefined;
  readonly files: readonly StagedFile[];
}

/** Builds the pipeline of a generation. The first time, this also builds the Java parts. */
export async function buildJob(
  o: LaunchOptions,
  target: JobTarget,
  say: (line: string) => void,
): Promise<BuiltPipeline> {
  // Imported here, because Beam takes a while to load.
  const { buildForSubmission } = await import("../../runners/dataflow/buildForSubmission.js");
  const { generation, subscription, replaySubscription, sessionGapMs, timeZone, countBots, row } = target;
  return buildForSubmission(
    {
      ...{ project: o.project, dataset: o.dataset, subscription, replaySubscription },
      workerImage: o.image,
      eventsSemantics: o.eventsSemantics,
      ...{ generation, sessionGapMs, timeZone, countBots },
      sessionWindows: o.sessionWindows,
      lateAfterMs: o.lateAfter,
      earlyFiringMs: o.earlyFiring,
      shardHashSecret: row?.settings.shardHashSecret,
      // Above the versions of jobs of earlier releases, which are epoch milliseconds.
      versionFloor: Date.now(),
    },
    say,
  );
}

export interface SubmitJobOptions {
  readonly update?: UpdateSettings;
  readonly replaceJobId?: string;
  /** Id of a Dataflow snapshot whose state the job begins with. */
  readonly fromSnapshot?: string | undefined;
  /** Only writes the request to this folder. */
  readonly outputDir?: string | undefined;
  readonly say: (line: string) => void;
  readonly output: Output;
  /** Stops the submission. If the request was sent, waits for its answer. */
  readonly signal: AbortSignal;
  /** Called when the request to create the job was sent. */
  readonly onSent?: () => void;
}

/** Stages the files and submits the job. */
export async function submitJob(
  o: LaunchOptions,
  target: JobTarget,
  { proto, nodeModules }: BuiltPipeline,
  { update, replaceJobId, fromSnapshot, outputDir, say, output, signal, onSent }: SubmitJobOptions,
): Promise<Submitted> {
  const { jobName } = target;
  const python = await ensureSubmitter(() =>
    say(`installing Beam's Dataflow runner for Python in ${cacheDir} (once, about a minute)`),
  );
  const progress = new StagingProgress(output, outputDir === undefined ? say : () => {});
  try {
    const flags = beamFlags({ ...jobSettings(o), jobName, fromSnapshot }, update);
    const submission = { pipeline: proto, jobName, flags, nodeModules, replaceJobId, outputDir };
    const jobId = await submit(submission, { python, onProgress: progress.update, signal });
    return { jobId, files: progress.files };
  } finally {
    if (progress.sent) onSent?.();
    progress.end();
  }
}
