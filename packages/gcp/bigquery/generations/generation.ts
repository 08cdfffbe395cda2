import { UTC_NAME } from "@eventlogger/events/zone/zoneName";

/** The settings that the numbers of a generation and the state of its pipeline depend on. */
export interface GenerationSettings {
  readonly sessionGapMs: number;
  /** IANA name of the time zone of its days. Undefined: UTC. */
  readonly timeZone?: string;
  /** Whether sessions and active days of bots count. Undefined: they do not. */
  readonly countBots?: boolean;
  /** Key of the hash of users and sessions in the keys of state: 32 hexadecimal digits. Undefined: recorded by an earlier release. */
  readonly shardHashSecret?: string;
  /** Number of the format of the state, and so of what its keys are. Undefined: recorded by a release with format 1. */
  readonly stateFormat?: number;
}

/**
 * `building`: computed, but not shown to readers. `active`: the one that readers see; at most one. `retired`: no longer
 * computed; one that was never active was aborted.
 */
export const GENERATION_STATUSES = ["building", "active", "retired"] as const;
export type GenerationStatus = (typeof GENERATION_STATUSES)[number];

/** What computes a generation. */
export type GenerationJob =
  /** `stateDirectory`: absolute path on `host`. */
  | { readonly runner: "flink"; readonly stateDirectory: string; readonly host: string }
  /** `region`: such as `europe-west1`. `id`: undefined until the service has accepted the job. */
  | { readonly runner: "dataflow"; readonly region: string; readonly name: string; readonly id?: string };

/** Names in Pub/Sub, without their project, that belong to a generation. Null: unknown. */
export interface GenerationResources {
  /** The subscription of the events' topic that its pipeline reads. */
  readonly subscription: string | null;
  readonly replayTopic: string | null;
  readonly replaySubscription: string | null;
}

/** Identifies the pipeline state that the numbers of a generation come from. */
export interface StateLabels {
  /** Id of the state. */
  readonly state: string;
  /** Number of the newest run on that state. */
  readonly run: number;
  /** Number of a recorded checkpoint, at most some minutes older than the newest one; 0: none yet. */
  readonly checkpoint: number;
}

/** The run that holds the lease of a generation. */
export interface LeaseHolder {
  /** Id of the run. */
  readonly run: string;
  /** Such as `host:pid`. */
  readonly holder: string;
  /** By BigQuery's clock, ISO 8601. */
  readonly takenAt: string;
  readonly expiresAt: string;
  /** Time until the lease expires, ms; negative when it has expired. */
  readonly leftMs: number;
}

/** One set of definitions of the numbers, and the numbers and the state that are computed with it. */
export interface Generation extends GenerationResources {
  /** Starts at 1. An id is never used again. */
  readonly generation: number;
  readonly status: GenerationStatus;
  readonly settings: GenerationSettings;
  /** ISO 8601, as all times of a generation, by BigQuery's clock. */
  readonly createdAt: string;
  /** Last time that it became active. Null: never. */
  readonly activatedAt: string | null;
  /** Null while it is not retired. */
  readonly retiredAt: string | null;
  /** Null: unknown. */
  readonly job: GenerationJob | null;
  /** Progress of the rebuild that computes it, in the form of the command `rebuild`. Null: none. */
  readonly rebuild: unknown;
  /** Null: its pipeline has not started, or does not run on Flink. */
  readonly state: StateLabels | null;
  /** Null when no run holds the lease. A lease that has expired is not null. */
  readonly lease: LeaseHolder | null;
}

/** The id of the first generation of a dataset. */
export const FIRST_GENERATION = 1;

/** The first state format of numbers that count persons instead of users, and that have a retention. */
export const PERSONS_STATE_FORMAT = 3;

/** Whether the numbers of a generation count persons. Those of an earlier release count users, and nothing of a week or month. */
export function countsPersons({ stateFormat }: GenerationSettings): boolean {
  return (stateFormat ?? 1) >= PERSONS_STATE_FORMAT;
}

/** The time zone of the days of a generation. */
export function timeZoneOf({ timeZone }: GenerationSettings): string {
  return timeZone ?? UTC_NAME;
}

/** Whether sessions and active days of bots count in a generation. */
export function countsBots({ countBots }: GenerationSettings): boolean {
  return countBots ?? false;
}

/** Whether a run holds the lease of a generation, and so computes it. */
export function isRunning({ lease }: Pick<Generation, "lease">): boolean {
  return lease !== null && lease.leftMs > 0;
}
