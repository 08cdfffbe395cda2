import assert from "node:assert/strict";
import { gaugeValues } from "@eventlogger/beam/worker/counters";
import { publishedUntil, reportSource, type ObservedSubscription } from "./sourceGauges";

/** A subscription whose values a test sets. */
class Observed implements ObservedSubscription {
  mark = 0;
  held: number[] = [];
  until: number | undefined;
  watermark = (): number => this.mark;
  heldPublishTimes = (): number[] => this.held;
  publishedUntil = (): number | undefined => this.until;
}

describe("reportSource", () => {
  it("reports how far the watermark is behind, and the age of the oldest message of each subscription that is not acknowledged", () => {
    const [live, replay] = [new Observed(), new Observed()];
    const end = reportSource({ live, replay }, () => 10_000);
    const values = (): unknown[] => {
      const gauges = gaugeValues();
      const names = ["source.watermarkLagMs", "source.oldestUnacknowledgedMs", "source.replay.oldestUnacknowledgedMs"];
      return names.map((name) => gauges[name]);
    };
    assert.deepEqual(values(), [undefined, 0, 0]);
    live.mark = 8500;
    live.held = [9000, 4000, 9500];
    replay.mark = 5; // does not count
    replay.held = [3000];
    assert.deepEqual(values(), [1500, 6000, 7000]);
    // The clock of Pub/Sub is ahead of that of this machine.
    live.mark = 10_200;
    live.held = [10_100];
    assert.deepEqual(values(), [0, 0, 7000]);
    end();
    assert.deepEqual(values(), [undefined, undefined, undefined]);
  });

  it("the time up to which everything is acknowledged is the earliest of all workers, and unknown if one does not know it", () => {
    const [live, replay] = [new Observed(), new Observed()];
    const end = reportSource({ live, replay });
    const reports = [5000, 3000].map((until) => {
      [live.until, replay.until] = [until, undefined];
      return gaugeValues() as Record<string, number>;
    });
    end();
    const highest: Record<string, number> = {};
    for (const report of reports) {
      for (const [name, value] of Object.entries(report)) highest[name] = Math.max(highest[name] ?? value, value);
    }
    assert.equal(publishedUntil(highest, "live"), 3000);
    assert.equal(publishedUntil(highest, "replay"), undefined);
    assert.equal(publishedUntil({}, "live"), undefined, "no report yet");
  });
});
