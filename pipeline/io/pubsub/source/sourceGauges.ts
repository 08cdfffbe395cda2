import { gaugeFrom } from "@eventlogger/beam";

/** What the gauges of a source are made of. */
export interface ObservedSource {
  /** Epoch ms; 0 before the first estimate. */
  watermark(): number;
  /** Publish times of the messages that were received and neither acknowledged nor nacked; epoch ms. */
  heldPublishTimes(): Iterable<number>;
}

/** Reports how far the watermark is behind, and the age of the oldest unacknowledged message. @returns ends the reports */
export function reportSource(source: ObservedSource, now: () => number = Date.now): () => void {
  const removals = [
    gaugeFrom("source.watermarkLagMs", () => {
      const watermark = source.watermark();
      return watermark > 0 ? Math.max(0, now() - watermark) : undefined;
    }),
    gaugeFrom("source.oldestUnacknowledgedMs", () => {
      let oldest = Infinity;
      for (const publishTime of source.heldPublishTimes()) oldest = Math.min(oldest, publishTime);
      return oldest === Infinity ? 0 : Math.max(0, now() - oldest);
    }),
  ];
  return () => removals.forEach((remove) => remove());
}
