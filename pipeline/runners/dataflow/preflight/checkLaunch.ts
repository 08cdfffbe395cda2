import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { checkTables } from "@eventlogger/gcp/bigquery/setup/checkTables";
import { allFindings, NOTHING_FOUND, type Findings } from "@eventlogger/gcp/diagnostics";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { parseGsUrl } from "@eventlogger/gcp/storage/client";
import { packageVersion } from "../../../packageVersion";
import { checkSubscription } from "@eventlogger/gcp/pubsub/setup/checkSubscription";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { DataflowJobs } from "../dataflowJobs";
import { checkBucket } from "./checkBucket";
import { checkImage } from "./checkImage";
import { within } from "./runCheck";

/** What a launch is going to use. */
export interface LaunchCheck {
  readonly project: string;
  /** Such as `europe-west1`. */
  readonly region: string;
  /** Name of the subscription. */
  readonly subscription: string;
  readonly dataset: string;
  /** `gs://bucket/folder`. */
  readonly tempLocation: string;
  /** `gs://bucket/folder`, where it is another one. */
  readonly stagingLocation?: string | undefined;
  /** The workers' container image. */
  readonly image: string;
  readonly machineType?: string | undefined;
  readonly jobName: string;
  /** The job takes over from the running one of its name. @default false */
  readonly update?: boolean;
  /** A BigQuery emulator. A Pub/Sub emulator is named by the variable PUBSUB_EMULATOR_HOST. */
  readonly bigqueryEndpoint?: string | undefined;
  /** @default https://dataflow.googleapis.com */
  readonly dataflowEndpoint?: string | undefined;
  /** How long each look may take; ms. @default 10 s */
  readonly limitMs?: number;
}

async function checkPubSub({ project, subscription }: LaunchCheck): Promise<Findings> {
  const pubsub = pubSubClient({ project });
  try {
    return await checkSubscription(pubsub, subscription);
  } finally {
    await pubsub.close();
  }
}

/** Whether the API answers, and the name is free, or taken by the job to be updated. */
async function checkJob(
  api: GoogleApi,
  { project, region, jobName, update = false, dataflowEndpoint }: LaunchCheck,
  signal: AbortSignal,
): Promise<Findings> {
  const jobs = new DataflowJobs(api, { project, region, endpoint: dataflowEndpoint });
  const active = await jobs.findActive(jobName, signal);
  if (active && !update) {
    const problem =
      `A job named ${jobName} is there already, ${active.id}. ` +
      "Update it (`eventlogger update`), drain it first (`eventlogger drain`), or choose another name (--job-name)";
    return { problems: [problem], warnings: [] };
  }
  if (!active && update) {
    return { problems: [`There is no active job named ${jobName} in ${region} that could be updated`], warnings: [] };
  }
  return NOTHING_FOUND;
}

/**
 * Everything that looking can find out before a job is submitted; all looks go on at the same time. Never throws: what
 * could not be looked at is a warning, since those who launch need not be permitted to look.
 */
export async function checkLaunch(options: LaunchCheck): Promise<Findings> {
  const { project, region, tempLocation, stagingLocation = tempLocation, dataset, image, machineType } = options;
  const limits = { project, limitMs: options.limitMs ?? 10_000 };
  const api = new GoogleApi(project, [500, 1000]);
  const buckets = new Map([tempLocation, stagingLocation].map((url) => [parseGsUrl(url)?.bucket ?? url, url]));
  const findings = allFindings(
    await Promise.all([
      within(`subscription ${options.subscription}`, limits, () => checkPubSub(options)),
      within(`the tables of dataset ${dataset}`, limits, () =>
        checkTables(bigQueryClient({ project, endpoint: options.bigqueryEndpoint }), dataset),
      ),
      ...[...buckets.values()].map((location) =>
        within(`bucket ${location}`, limits, (signal) => checkBucket(api, { location, region }, signal)),
      ),
      within(`image ${image}`, limits, (signal) =>
        checkImage({ image, machineType, version: packageVersion() }, () => api.accessToken(), signal),
      ),
      within(`the jobs of project ${project} in ${region}`, limits, (signal) => checkJob(api, options, signal)),
    ]),
  );
  // Credentials that are missing are found by every look.
  return { problems: [...new Set(findings.problems)], warnings: [...new Set(findings.warnings)] };
}
