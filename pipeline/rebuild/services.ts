import type { Generation, GenerationResources, GenerationSettings } from "@eventlogger/gcp/bigquery/generations";
import type { PartitionCount } from "@eventlogger/gcp/bigquery/replay/countRows";
import type { RowSelection } from "@eventlogger/gcp/bigquery/replay/selection";
import type { Horizon } from "@eventlogger/gcp/bigquery/retention/horizon";
import type { RetentionDifference } from "@eventlogger/gcp/bigquery/verify/compareRetention";
import type { Difference } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import type { RebuildDriver } from "./driver";
import type { RebuildRecord } from "./record";

/** The table `generations`. */
export interface GenerationStore {
  /** All generations, by id. */
  list(): Promise<Generation[]>;
  /** BigQuery's clock; epoch ms. */
  now(): Promise<number>;
  /** Creates the next generation, being built. @throws GenerationExistsError when another one is being built */
  create(
    settings: GenerationSettings,
    resources: (generation: number) => GenerationResources,
    record: RebuildRecord,
  ): Promise<Generation>;
  /**
   * Replaces the record of a rebuild if it still is `before`, in one statement.
   * @returns whether it was; false when another process has changed it
   */
  replace(generation: number, before: RebuildRecord, after: RebuildRecord | null): Promise<boolean>;
  /** Switches readers in one statement. Changes nothing when it is active already. */
  activate(generation: number, options: { readonly keepOld: boolean }): Promise<void>;
  /** Retires a generation that is not active. Changes nothing when it is retired already. */
  retire(generation: number): Promise<void>;
}

/** Topics and subscriptions. Every method is safe to repeat. */
export interface RebuildResources {
  /** The names for a generation. @param inherited its live subscription, when it takes over that of another one */
  names(generation: number, inherited: string | null): GenerationResources;
  /** Creates the live subscription of a generation with the settings of another one. */
  createLive(name: string, settingsOf: string): Promise<void>;
  createReplay(generation: number): Promise<void>;
  deleteLive(name: string): Promise<void>;
  deleteReplay(generation: Pick<Generation, "generation" | "replayTopic" | "replaySubscription">): Promise<void>;
  /**
   * Publishes the messages again that a subscription still holds and that were published before a time, then acknowledges them. No
   * pipeline may read it any more. @param untilMs epoch ms @returns their number
   */
  forwardBacklog(subscription: string, untilMs: number, signal: AbortSignal): Promise<number>;
}

/** The raw rows. */
export interface EventRows {
  /** What remaining rows tell about numbers with days of a time zone. Undefined: no rows are deleted. */
  horizon(timeZone: string): Promise<Horizon | undefined>;
  count(selection: RowSelection): Promise<PartitionCount[]>;
  /**
   * Publishes rows to the replay topic of a generation, one partition after the other.
   * @param onRows gets the number of rows since the last call, once their messages are acknowledged
   * @param onPartition called when a partition is complete
   */
  replay(request: {
    readonly generation: Generation;
    readonly partitions: readonly PartitionCount[];
    readonly signal: AbortSignal;
    readonly onRows: (rows: number) => void;
    readonly onPartition: (partition: string) => Promise<void>;
  }): Promise<void>;
}

/** What a comparison of the numbers of a generation with the raw rows has found. */
export interface Comparison {
  /** Number of days whose numbers are all equal. */
  readonly equalDays: number;
  readonly differences: readonly Difference[];
  /** Those that events in flight do not explain. */
  readonly unexplained: readonly Difference[];
}

/** What a comparison of the retention of a generation with the raw rows has found. */
export interface RetentionResult {
  /** Number of cohorts whose numbers are all equal. */
  readonly equalCohorts: number;
  readonly differences: readonly RetentionDifference[];
  /** Those that events in flight do not explain. */
  readonly unexplained: readonly RetentionDifference[];
}

/** Compares numbers with raw rows. */
export interface Verifier {
  /** Compares the retention, of all cohorts. @param options.inFlightSinceMs as for {@link compare} */
  compareRetention(generation: Generation, options: { readonly inFlightSinceMs: number }): Promise<RetentionResult>;

  /**
   * @param options.inFlightSinceMs events received since then may be in only one of both; epoch ms
   * @param options.days YYYY-MM-DD; undefined: all
   */
  compare(
    generation: Generation,
    options: { readonly inFlightSinceMs: number; readonly days: readonly string[] | undefined },
  ): Promise<Comparison>;
}

/** Everything outside of the process that a rebuild uses. */
export interface RebuildServices {
  readonly store: GenerationStore;
  readonly resources: RebuildResources;
  readonly rows: EventRows;
  readonly verifier: Verifier;
  readonly driver: RebuildDriver;
}

/** Intervals and limits; ms. */
export interface RebuildTimes {
  /** How long the rebuild belongs to this process after it was last recorded. */
  readonly leaseMs: number;
  /** Interval at which this process extends that. */
  readonly renewMs: number;
  /** Interval at which pipelines are observed. */
  readonly pollMs: number;
  /** Shortest interval between two records of replayed partitions. */
  readonly recordMs: number;
  /** How far the clocks of Pub/Sub and BigQuery may differ. */
  readonly clockSkewMs: number;
  /** How far the clock of a server that receives events may be ahead of BigQuery's. */
  readonly receiverSkewMs: number;
  /** How long the previous pipeline may be without progress before the rebuild gives up. */
  readonly previousLimitMs: number;
  /** How long the new pipeline may be without progress before the rebuild gives up. */
  readonly progressLimitMs: number;
  /** Wait after the first comparison; longer after later ones, because each one costs. */
  readonly compareMs: number;
  /** Numbers that differ only by events in flight are accepted after this time. */
  readonly settleMs: number;
  /** Numbers must be explained within this time. */
  readonly verifyLimitMs: number;
}

export const REBUILD_TIMES: RebuildTimes = {
  leaseMs: 180_000,
  renewMs: 60_000,
  pollMs: 1000,
  recordMs: 10_000,
  clockSkewMs: 5000,
  receiverSkewMs: 30_000,
  previousLimitMs: 300_000,
  progressLimitMs: 600_000,
  compareMs: 5000,
  settleMs: 15_000,
  verifyLimitMs: 600_000,
};
