import "../sdk";
import assert from "node:assert/strict";
import { AccumulationMode_Enum, OnTimeBehavior_Enum } from "apache-beam/proto/beam_runner_api";
import { afterCount, afterProcessingTime, afterWatermark, repeatedly } from "./triggers";
import { sessionWindows, windowingStrategy } from "./strategy";

describe("Windowing strategies", () => {
  it("a windowing strategy discards fired panes and skips empty ones by default", () => {
    const strategy = windowingStrategy({ allowedLatenessMs: 1500 });
    assert.equal(strategy.accumulationMode, AccumulationMode_Enum.DISCARDING);
    assert.equal(strategy.onTimeBehavior, OnTimeBehavior_Enum.FIRE_IF_NONEMPTY);
    assert.equal(strategy.allowedLateness, 1500n);
    const other = windowingStrategy({ accumulating: true, emitEmptyOnTimePane: true });
    assert.equal(other.accumulationMode, AccumulationMode_Enum.ACCUMULATING);
    assert.equal(other.onTimeBehavior, OnTimeBehavior_Enum.FIRE_ALWAYS);
  });

  it("sessionWindows rejects gaps that the SDK would truncate to whole seconds", () => {
    for (const gap of [1500, 0, -1000, 0.5, Number.NaN, Infinity]) {
      assert.throws(() => sessionWindows(gap), new RegExp(`positive whole number of seconds, not ${gap} ms`));
    }
    assert.doesNotThrow(() => sessionWindows(1000));
  });

  it("triggers have the form of the Beam model", () => {
    const { trigger } = afterWatermark({ early: afterProcessingTime(250), late: repeatedly(afterCount(1)) });
    assert(trigger.oneofKind === "afterEndOfWindow");
    const { earlyFirings, lateFirings } = trigger.afterEndOfWindow;
    assert.deepEqual(earlyFirings?.trigger, {
      oneofKind: "afterProcessingTime",
      afterProcessingTime: {
        timestampTransforms: [{ timestampTransform: { oneofKind: "delay", delay: { delayMillis: 250n } } }],
      },
    });
    assert(lateFirings?.trigger.oneofKind === "repeat");
  });
});
