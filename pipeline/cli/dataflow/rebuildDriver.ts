import type { BigQuery } from "@google-cloud/bigquery";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { GoogleApiError } from "@eventlogger/gcp/api/googleApiError";
import { readGeneration, readGenerations, recordJob, type Generation } from "@eventlogger/gcp/bigquery/generations";
import { httpUrl } from "@eventlogger/gcp/gcpOptions";
import { TimeSeries } from "@eventlogger/gcp/monitoring/timeSeries";
import { flagName, envName, type OptionSpec, type OptionSpecs } from "@eventlogger/options/options";
import type { Output } from "@eventlogger/options/terminal";
import { killRunningChildren } from "@eventlogger/process/childProcess";
import { DataflowDriver } from "../../rebuild/dataflow/dataflowDriver";
import { SubscriptionProgress } from "../../rebuild/dataflow/publishedUntil";
import type { RebuildDriver } from "../../rebuild/driver";
import { DataflowJobs } from "../../runners/dataflow/dataflowJobs";
import { buildJob, submitJob } from "./jobSubmission";
import { jobNameOf, targetOf } from "./jobTarget";
import { checkLaunchOptions, launchOptions, type LaunchOptions } from "./launchOptions";
import { checkTarget, requireNoProblems } from "./runPreflight";

/** Options of `launch` that a rebuild decides itself, or has for both runners. */
const NOT_PASSED = ["runner", "output", "dryRun", "json"];

const isRequired = ({ optional, default: value }: OptionSpec): boolean => !optional && value === undefined;

const monitoringEndpoint = {
  type: "string",
  describe: "URL of the Cloud Monitoring API, if not the default",
  optional: true,
  check: httpUrl,
  group: "Google Cloud:",
} as const satisfies OptionSpec;

const passed: Record<string, OptionSpec> = {};
for (const [name, spec] of Object.entries<OptionSpec>(launchOptions)) {
  if (!NOT_PASSED.includes(name)) passed[name] = isRequired(spec) ? { ...spec, optional: true } : spec;
}

/** The options of `launch` for a rebuild with `--runner dataflow`. None is required with the other runner. */
export const rebuildLaunchOptions: OptionSpecs = { ...passed, monitoringEndpoint };

export type RebuildLaunchOptions = LaunchOptions & { readonly monitoringEndpoint: string | undefined };

/** Cross-field validation of a rebuild with `--runner dataflow`. */
export function checkRebuildLaunch(o: Readonly<Record<string, unknown>>): string[] {
  const missing = Object.entries<OptionSpec>(launchOptions).filter(
    ([name, spec]) => !NOT_PASSED.includes(name) && isRequired(spec) && o[name] === undefined,
  );
  return [
    ...missing.map(([name]) => `${flagName(name)} (${envName(name)}) is required with --runner dataflow`),
    ...checkLaunchOptions(o),
  ];
}

/** Interval of the commits of Java's sinks, see `dataflowIo`; ms. */
const SINK_COMMIT_MS = 5000;

/** The driver of a rebuild on Dataflow, with the options of a launch. */
export function rebuildDriver(
  o: RebuildLaunchOptions,
  {
    bigquery,
    say,
    output,
  }: { readonly bigquery: BigQuery; readonly say: (line: string) => void; readonly output: Output },
): RebuildDriver {
  const { project, dataset, region, dataflowEndpoint, monitoringEndpoint } = o;
  const api = new GoogleApi(project);
  const series = new TimeSeries(api, { project, endpoint: monitoringEndpoint });
  // Session windows and sinks hold elements back until their timers fire.
  const progress = new SubscriptionProgress(series, { settleMs: o.earlyFiring + 3 * SINK_COMMIT_MS });
  return new DataflowDriver({
    jobsIn: (name) => new DataflowJobs(api, { project, region: name, endpoint: dataflowEndpoint }),
    progress,
    region,
    jobName: (generation) => jobNameOf(o.jobName, generation),
    preflight: (active) => preflight(o, active, { bigquery, progress, say }),
    submit: (generation, signal) => submitGeneration(o, generation, { say, output, signal }),
    read: (generation) => readGeneration(bigquery, dataset, generation),
    recordJob: (generation, job) => recordJob(bigquery, dataset, generation, job),
  });
}

/** @throws UserError with all problems */
async function preflight(
  o: RebuildLaunchOptions,
  active: Generation,
  { bigquery, progress, say }: { bigquery: BigQuery; progress: SubscriptionProgress; say: (line: string) => void },
): Promise<void> {
  const ids = (await readGenerations(bigquery, o.dataset)).map(({ generation }) => generation);
  const next = { ...targetOf(o, active), jobName: jobNameOf(o.jobName, Math.max(...ids) + 1) };
  const [{ problems, warnings }, unreadable] = await Promise.all([
    o.check ? checkTarget(o, next, { update: false }) : { problems: [], warnings: [] },
    progressProblem(progress, next.subscription),
  ]);
  for (const warning of warnings) say(`warning: ${warning}`);
  requireNoProblems([...problems, ...unreadable]);
}

/** Without the metrics, a rebuild never learns when the jobs have caught up. */
async function progressProblem(progress: SubscriptionProgress, subscription: string): Promise<string[]> {
  try {
    await progress.publishedUntil(subscription, undefined);
    return [];
  } catch (error) {
    if (error instanceof GoogleApiError) return [error.message];
    throw error;
  }
}

async function submitGeneration(
  o: LaunchOptions,
  generation: Generation,
  { say, output, signal }: { say: (line: string) => void; output: Output; signal: AbortSignal },
): Promise<string> {
  const target = targetOf(o, generation);
  const stop = (): void => killRunningChildren();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const built = await buildJob(o, target, say);
    signal.removeEventListener("abort", stop);
    signal.throwIfAborted();
    const { jobId } = await submitJob(o, target, built, { say, output, signal });
    return jobId as string;
  } catch (error) {
    // What was stopped fails in its own way.
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
