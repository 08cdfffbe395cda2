import type { BigQuery } from "@google-cloud/bigquery";
import type { PubSub } from "@google-cloud/pubsub";
import type { Progress } from "@eventlogger/options/progress";
import type { ReplayTarget } from "../../replay/replayTarget";

/** The options of the command `replay`. */
export interface ReplayOptions {
  readonly project: string;
  readonly topic: string;
  readonly subscription: string;
  readonly dataset: string;
  readonly bigqueryEndpoint: string | undefined;
  /** First and last day, YYYY-MM-DD. */
  readonly from: string;
  readonly to: string;
  readonly by: "received" | "event";
  readonly generation: number | undefined;
  readonly deadLetters: boolean;
  readonly rate: number;
  readonly dryRun: boolean;
  readonly json: boolean;
}

export interface ReplayContext {
  readonly o: ReplayOptions;
  readonly bigquery: BigQuery;
  readonly pubsub: PubSub;
  readonly target: Omit<ReplayTarget, "warning">;
  readonly progress: Progress;
  /** Aborted with a StopRequestedError. */
  readonly signal: AbortSignal;
}

/** What the command prints. */
export interface ReplayReport {
  /** Part of the JSON document. */
  readonly document: object;
  readonly lines: readonly string[];
  /** Whether something could not be replayed. */
  readonly isFailed: boolean;
}

/** `1 row`, `1,000 rows`. */
export function countText(n: number, noun: string): string {
  return `${n.toLocaleString("en-US")} ${noun}${n === 1 ? "" : "s"}`;
}
