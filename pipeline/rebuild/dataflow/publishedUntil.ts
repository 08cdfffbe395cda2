import type { Sample, TimeSeries } from "@eventlogger/gcp/monitoring/timeSeries";

/** https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-pubsub. Whole seconds; 0 when every message is acknowledged. */
const OLDEST_UNACKED = "pubsub.googleapis.com/subscription/oldest_unacked_message_age";
/** https://cloud.google.com/monitoring/api/metrics_gcp_d_h#gcp-dataflow. Whole seconds: the longest time that an item is in the job. */
const SYSTEM_LAG = "dataflow.googleapis.com/job/system_lag";

/** Samples of this time are read. Google shows them up to 4 minutes after it has taken them. */
const WINDOW_MS = 15 * 60_000;
/** Both metrics are rounded to seconds. */
const ROUNDING_MS = 1000;

export interface ProgressOptions {
  /** How long the job may buffer an item without counting it in its lag; ms. */
  readonly settleMs: number;
  /** @default 1 s */
  readonly roundingMs?: number;
}

/**
 * Every message published before the result is processed: it was acknowledged when a sample of the subscription was taken, and at a
 * later sample of the job nothing was in the job that had entered it by then.
 * @param unacked ages of the oldest unacknowledged message; s
 * @param lag longest times that an item is in the job; s. Undefined: the pipeline acknowledges a message only when it is processed
 * @returns epoch ms; undefined when the samples do not tell
 */
export function processedUntil(
  unacked: readonly Sample[],
  lag: readonly Sample[] | undefined,
  { settleMs, roundingMs = ROUNDING_MS }: ProgressOptions,
): number | undefined {
  const enteredUntil = lag?.map(({ time, value }) => time - value * 1000 - roundingMs - settleMs);
  const emptied = enteredUntil === undefined ? Infinity : Math.max(-Infinity, ...enteredUntil);
  const found = unacked
    .filter(({ time }) => time <= emptied)
    .map(({ time, value }) => time - value * 1000 - roundingMs);
  return found.length === 0 ? undefined : Math.max(...found);
}

/** Reads from Cloud Monitoring how far pipelines have got. */
export class SubscriptionProgress {
  constructor(
    private readonly series: TimeSeries,
    private readonly options: ProgressOptions,
  ) {}

  /**
   * @param jobId the job on Dataflow that reads the subscription; undefined: a pipeline that acknowledges a message when it is processed
   * @returns epoch ms: every message published before is processed. Undefined while that is unknown
   * @throws CredentialsError, GoogleApiError
   */
  async publishedUntil(
    subscription: string,
    jobId: string | undefined,
    signal?: AbortSignal,
  ): Promise<number | undefined> {
    const to = Date.now();
    const interval = { from: to - WINDOW_MS, to };
    const [unacked, lag] = await Promise.all([
      this.series.samples(OLDEST_UNACKED, { "resource.labels.subscription_id": subscription }, interval, signal),
      jobId && this.series.samples(SYSTEM_LAG, { "metric.labels.job_id": jobId }, interval, signal),
    ]);
    return processedUntil(unacked, lag || undefined, this.options);
  }
}
