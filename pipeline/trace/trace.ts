import type { EventRow } from "@eventlogger/gcp/bigquery/tables";

/** A row of the table `events`. Times are ISO 8601 in UTC. */
export type TracedRow = Omit<EventRow, "properties" | "browser" | "os" | "referrer">;

/** A dead letter that contains the event. */
export interface TracedDeadLetter {
  readonly errorType: string;
  readonly errorMessage: string;
  /** Message id, or the table that refused the row. */
  readonly source: string;
  readonly failedAt: string;
}

/** The generation that readers see. */
export interface TracedGeneration {
  readonly generation: number;
  readonly timeZone: string;
  readonly sessionGapMs: number;
  readonly countsBots: boolean;
  /** Whether a run holds its lease. A job on Dataflow holds none: null. */
  readonly isRunning: boolean | null;
}

/** The session of the event on its day. */
export interface TracedSession {
  readonly sessionId: string;
  readonly firstEventTime: string;
  readonly lastEventTime: string;
  readonly durationMs: number;
  /** Different event ids. */
  readonly events: number;
}

/** For whom the event counts. */
export interface TracedPerson {
  readonly userId: string | null;
  readonly anonymousId: string | null;
  /** Users that any event links to the anonymous id, at most one more than {@link MAX_LINKED_USERS}. */
  readonly linkedUsers: readonly string[];
  /** Whether more than {@link MAX_LINKED_USERS} users share the anonymous id, so that it counts for none. */
  readonly isShared: boolean;
  readonly countsFor: readonly { readonly kind: "user" | "anonymous"; readonly id: string }[];
}

/** What is known of one event. Absent parts are null. */
export interface Trace {
  readonly eventId: string;
  readonly state: "stored" | "dead_letter" | "not_found";
  /** Only rows received since this UTC day, and dead letters since then, were searched. YYYY-MM-DD. */
  readonly searchedSince: string;
  readonly topic: { readonly name: string; readonly exists: boolean };
  readonly subscription: { readonly name: string; readonly problems: readonly string[] };
  readonly rows: readonly TracedRow[];
  readonly deadLetters: readonly TracedDeadLetter[];
  readonly generation: TracedGeneration | null;
  /** The day on which the event counts, in the time zone of the generation; YYYY-MM-DD. */
  readonly day: string | null;
  readonly session: TracedSession | null;
  readonly person: TracedPerson | null;
  /** Whether the record of accepted events has it. The record of a day with many events is a sample. */
  readonly acceptedRecord: "recorded" | "not_recorded" | "not_sampled" | null;
  /** Why the event is not counted, or may not be. */
  readonly notes: readonly string[];
}

/** An anonymous id that is linked to more users counts for none of them (docs/numbers.md). */
export const MAX_LINKED_USERS = 50;
