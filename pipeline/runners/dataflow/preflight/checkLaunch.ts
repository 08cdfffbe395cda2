import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { checkTables } from "@eventlogger/gcp/bigquery/setup/checkTables";
import { mergeDiagnostics, NO_DIAGNOSTICS, problem, type Diagnostics } from "@eventlogger/gcp/diagnostics";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { parseGsUrl } from "@eventlogger/gcp/storage/client";
import { packageVersion } from "../../../packageVersion";
import { checkSubscription } from "@eventlogger/gcp/pubsub/setup/checkSubscription";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { DataflowJobs } from "../dataflowJobs";
import { checkBucket } from "./checkBucket";
import { checkImage } from "./checkImage";
import { runCheck } from "./runCheck";

/** The resources of a launch. */
export interface LaunchCheck {
  readonly project: string;
  /** Such as `europe-west1`. */
  readonly region: string;
  /** Name of the subscription. */
  readonly subscription: string;
  /** Name of the replay subscription of the job's generation. */
  readonly replaySubscription: string;
  readonly dataset: string;
  /** `gs://bucket/folder`. */
  readonly tempLocation: string;
  /** `gs://bucket/folder`. @default tempLocation */
  readonly stagingLocation?: string | undefined;
  /** The workers' container image. */
  readonly image: string;
  readonly machineType?: string | undefined;
  readonly jobName: string;
  /** Whether the job replaces the running job of its name. @default false */
  readonly update?: boolean;
  /** URL of a BigQuery emulator. The variable PUBSUB_EMULATOR_HOST names a Pub/Sub emulator. */
  readonly bigqueryEndpoint?: string | undefined;
  /** @default https://dataflow.googleapis.com */
  readonly dataflowEndpoint?: string | undefined;
  /** Time limit of each check; ms. @default 10 s */
  readonly timeoutMs?: number;
}

async function checkPubSub(project: string, subscription: string): Promise<Diagnostics> {
  const pubsub = pubSubClient({ project });
  try {
    return await checkSubscription(pubsub, subscription);
  } finally {
    await pubsub.close();
  }
}

/** Checks that the name is free for a launch, or that a job of this name is active for an update. */
async function checkJob(
  api: GoogleApi,
  { project, region, jobName, update = false, dataflowEndpoint }: LaunchCheck,
  signal: AbortSignal,
): Promise<Diagnostics> {
  const jobs = new DataflowJobs(api, { project, region, endpoint: dataflowEndpoint });
  const active = await jobs.findActive(jobName, signal);
  if (active && !update) {
    return problem(
      `Job ${jobName} is already active (${active.id}). ` +
        "Update it (`eventlogger update`), drain it first (`eventlogger drain`), or choose another name (--job-name)",
    );
  }
  if (!active && update) {
    return problem(`No active job is named ${jobName} in ${region}, so that none can be updated`);
  }
  return NO_DIAGNOSTICS;
}

/** What a preflight check found. */
export interface CheckResult extends Diagnostics {
  /** What was checked, such as `subscription events-pipeline`. */
  readonly what: string;
}

/**
 * Preflight checks before a job is submitted. They run in parallel. Never throws: a check that could not be made becomes
 * a warning, because the permission to launch a job does not imply the permission to look at its resources.
 */
export async function launchChecks(options: LaunchCheck): Promise<CheckResult[]> {
  const { project, region, tempLocation, stagingLocation = tempLocation, dataset, image, machineType } = options;
  const limits = { project, timeoutMs: options.timeoutMs ?? 10_000 };
  const api = new GoogleApi(project, [500, 1000]);
  const buckets = new Map([tempLocation, stagingLocation].map((url) => [parseGsUrl(url)?.bucket ?? url, url]));
  const named = async (what: string, check: (signal: AbortSignal) => Promise<Diagnostics>): Promise<CheckResult> => ({
    what,
    ...(await runCheck(what, limits, check)),
  });
  return Promise.all([
    ...[options.subscription, options.replaySubscription].map((subscription) =>
      named(`subscription ${subscription}`, () => checkPubSub(project, subscription)),
    ),
    named(`the tables of dataset ${dataset}`, () =>
      checkTables(bigQueryClient({ project, endpoint: options.bigqueryEndpoint }), dataset),
    ),
    ...[...buckets.values()].map((location) =>
      named(`bucket ${location}`, (signal) => checkBucket(api, { location, region }, signal)),
    ),
    named(`image ${image}`, (signal) =>
      checkImage({ image, machineType, version: packageVersion() }, () => api.accessToken(), signal),
    ),
    named(`job name ${options.jobName} in ${region}`, (signal) => checkJob(api, options, signal)),
  ]);
}

/** All problems and warnings of {@link launchChecks}, each once. */
export async function checkLaunch(options: LaunchCheck): Promise<Diagnostics> {
  const { problems, warnings } = mergeDiagnostics(await launchChecks(options));
  // Every check reports missing credentials.
  return { problems: [...new Set(problems)], warnings: [...new Set(warnings)] };
}
