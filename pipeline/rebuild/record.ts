import type { Generation } from "@eventlogger/gcp/bigquery/generations";
import { UserError } from "@eventlogger/process/main";
import type { Owner } from "./owner";

/** The steps of a rebuild, in their order. */
export const PHASES = ["creating", "replaying", "catching up", "verifying", "activating", "retiring"] as const;
export type RebuildPhase = (typeof PHASES)[number];

/**
 * What is known of a rebuild, in the column `rebuild` of its generation. The next step begins only when this says that the one before
 * is complete, so that any process can continue.
 */
export interface RebuildRecord {
  /** Format of the record. */
  readonly format: 1;
  /** `aborting`: resources are being removed, and the rebuild cannot go on. */
  readonly phase: RebuildPhase | "aborting";
  /** The generation that was active at the beginning. */
  readonly previous: number;
  /** Whether the previous generation is computed further after the switch. */
  readonly keepOld: boolean;
  /** Whether the new generation reads the subscription of the previous one, whose state is lost. */
  readonly takeOver: boolean;
  /** YYYY-MM-DD; only rows received on this day or later are replayed. Null: all. */
  readonly from: string | null;
  /** BigQuery's time when the new subscription existed, ISO 8601. Rows of events published before must be replayed. */
  readonly cutOff: string | null;
  /** Whether the previous generation has written every event published before the cut-off to `events`. */
  readonly rowsComplete: boolean;
  /** Rows of each partition of `events` that were replayed; by YYYY-MM-DD. */
  readonly replayed: Readonly<Record<string, number>>;
  /** BigQuery's time after the last replay message was published, ISO 8601. */
  readonly replayedAt: string | null;
  /** The process that runs the rebuild. Null: none. */
  readonly owner: Owner | null;
}

/** The record in the row of a generation was written by another release. Use that release, or abort the rebuild. */
export class RebuildRecordError extends UserError {
  constructor({ generation }: Generation) {
    super(
      `The progress of the rebuild of generation ${generation}, in the table generations, has a format that this release does not ` +
        "know. Continue with the release that has started it",
    );
    this.name = "RebuildRecordError";
  }
}

/** The record of an unfinished rebuild; undefined when the generation has none. @throws RebuildRecordError */
export function recordOf(generation: Generation): RebuildRecord | undefined {
  const { rebuild } = generation;
  if (rebuild === null || rebuild === undefined) return undefined;
  if (typeof rebuild !== "object" || (rebuild as Partial<RebuildRecord>).format !== 1) {
    throw new RebuildRecordError(generation);
  }
  return rebuild as RebuildRecord;
}

/** The rows that were replayed, of all partitions. */
export function replayedRows({ replayed }: RebuildRecord): number {
  return Object.values(replayed).reduce((sum, rows) => sum + rows, 0);
}
