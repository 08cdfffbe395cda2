import assert from "node:assert/strict";
import { gaugeValues } from "@eventlogger/beam/worker/counters";
import { reportSource } from "./sourceGauges";

describe("reportSource", () => {
  it("reports how far the watermark is behind, and the age of the oldest message that is not acknowledged", () => {
    let watermark = 0;
    let held: number[] = [];
    const source = { watermark: () => watermark, heldPublishTimes: () => held };
    const end = reportSource(source, () => 10_000);
    const values = (): unknown[] => {
      const gauges = gaugeValues();
      return [gauges["source.watermarkLagMs"], gauges["source.oldestUnacknowledgedMs"]];
    };
    assert.deepEqual(values(), [undefined, 0]);
    watermark = 8500;
    held = [9000, 4000, 9500];
    assert.deepEqual(values(), [1500, 6000]);
    // The clock of Pub/Sub is ahead of that of this machine.
    watermark = 10_200;
    held = [10_100];
    assert.deepEqual(values(), [0, 0]);
    end();
    assert.deepEqual(values(), [undefined, undefined]);
  });
});
