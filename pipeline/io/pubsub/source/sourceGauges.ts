import { gaugeFrom } from "@eventlogger/beam";

/** What the gauges of a subscription are made of. */
export interface ObservedSubscription {
  /** Epoch ms; 0 before the first estimate. */
  watermark(): number;
  /** Publish times of the messages that were received and neither acknowledged nor nacked; epoch ms. */
  heldPublishTimes(): Iterable<number>;
  /** Epoch ms; undefined: not known. */
  publishedUntil(): number | undefined;
}

/** What the gauges of a source are made of. */
export interface ObservedSource {
  readonly live: ObservedSubscription;
  readonly replay: ObservedSubscription | undefined;
}

/** The subscriptions of a pipeline. */
export type SourceName = "live" | "replay";

/** The name of a gauge of one of the subscriptions. The gauge has the negative of the time, because the highest value of all workers is shown. */
const publishedUntilGauge = (source: SourceName): string => `source.${source}.negatedPublishedUntilMs`;

/** Zero: a worker does not know the time. All times are negative. */
const UNKNOWN = 0;

function ageOfOldest(subscription: ObservedSubscription, now: number): number {
  let oldest = Infinity;
  for (const publishTime of subscription.heldPublishTimes()) oldest = Math.min(oldest, publishTime);
  return oldest === Infinity ? 0 : Math.max(0, now - oldest);
}

/**
 * Reports how far the watermark is behind, the age of the oldest unacknowledged message of each subscription, and up to when
 * everything that was published is acknowledged.
 * @returns ends the reports
 */
export function reportSource(source: ObservedSource, now: () => number = Date.now): () => void {
  const { live, replay } = source;
  const removals = [
    gaugeFrom("source.watermarkLagMs", () => {
      const watermark = live.watermark();
      return watermark > 0 ? Math.max(0, now() - watermark) : undefined;
    }),
    gaugeFrom("source.oldestUnacknowledgedMs", () => ageOfOldest(live, now())),
    gaugeFrom(publishedUntilGauge("live"), () => -(live.publishedUntil() ?? UNKNOWN)),
  ];
  if (replay) {
    removals.push(
      gaugeFrom("source.replay.oldestUnacknowledgedMs", () => ageOfOldest(replay, now())),
      gaugeFrom(publishedUntilGauge("replay"), () => -(replay.publishedUntil() ?? UNKNOWN)),
    );
  }
  return () => removals.forEach((remove) => remove());
}

/**
 * Up to when everything that was published to a subscription is processed, written and acknowledged; epoch ms. Undefined: one of
 * the workers does not know it, or none has reported yet.
 * @param gauges the highest values of all workers; see `gaugeFrom`
 */
export function publishedUntil(gauges: Readonly<Record<string, number>>, source: SourceName): number | undefined {
  const negated = gauges[publishedUntilGauge(source)];
  return negated === undefined || negated === UNKNOWN ? undefined : -negated;
}
