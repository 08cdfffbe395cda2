import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import {
  countsBots,
  FIRST_GENERATION,
  readActiveGeneration,
  recordJob,
  timeZoneOf,
  type Generation,
} from "@eventlogger/gcp/bigquery/generations";
import { liveSubscription, replaySubscription } from "@eventlogger/gcp/pubsub/replayNames";
import { withTimeout } from "@eventlogger/process/wait";
import { DEFAULT_DEFINITIONS } from "../definitionOptions";
import type { LaunchOptions } from "./launchOptions";

/** Time limit of reading the generation before the preflight checks; ms. */
const READ_LIMIT_MS = 10_000;

/** The generation that a job computes, with the names and definitions that follow from it. */
export interface JobTarget {
  readonly generation: number;
  readonly jobName: string;
  readonly subscription: string;
  readonly replaySubscription: string;
  readonly sessionGapMs: number;
  /** IANA name. */
  readonly timeZone: string;
  readonly countBots: boolean;
  /** Its row. Undefined in a dry run, which reads nothing. */
  readonly row: Generation | undefined;
}

/** The name of the job of a generation. @param jobName `--job-name`, that of generation 1 */
export function jobNameOf(jobName: string, generation: number): string {
  return generation === FIRST_GENERATION ? jobName : `${jobName}-g${generation}`;
}

/** What a job computes for a generation. @param row undefined: the first generation, with the definitions of the options */
export function targetOf(o: LaunchOptions, row: Generation | undefined): JobTarget {
  const generation = row?.generation ?? FIRST_GENERATION;
  return {
    generation,
    jobName: jobNameOf(o.jobName, generation),
    subscription: row?.subscription ?? liveSubscription(o.subscription, generation),
    replaySubscription: row?.replaySubscription ?? replaySubscription(o.subscription, generation),
    sessionGapMs: row?.settings.sessionGapMs ?? o.sessionGap ?? DEFAULT_DEFINITIONS.sessionGapMs,
    timeZone: row ? timeZoneOf(row.settings) : (o.timeZone ?? DEFAULT_DEFINITIONS.timeZone),
    countBots: row ? countsBots(row.settings) : (o.countBots ?? DEFAULT_DEFINITIONS.countBots),
    row,
  };
}

/** The active generation, if it can be read: the preflight checks report why it cannot. */
export async function readableTarget(o: LaunchOptions): Promise<JobTarget> {
  const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
  const active = withTimeout(readActiveGeneration(bigquery, o.dataset), READ_LIMIT_MS, "reading the active generation");
  return targetOf(o, await active.catch(() => undefined));
}

/** Records the job of a generation in its row. @param id undefined until the job is submitted */
export async function recordJobOf(o: LaunchOptions, { generation, jobName }: JobTarget, id?: string): Promise<void> {
  const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
  const job = { runner: "dataflow", region: o.region, name: jobName, ...(id !== undefined && { id }) } as const;
  await recordJob(bigquery, o.dataset, generation, job);
}
