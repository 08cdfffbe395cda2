import assert from "node:assert/strict";
import { WatermarkEstimator } from "./watermark";

const T0 = 1_800_000_000_000;
const options = { slackMs: 1000, idleMs: 2000, startupHoldMs: 0, ignoreOlderMs: 86_400_000 };

describe("WatermarkEstimator", () => {
  it("the watermark stays behind the oldest recent arrival by the slack", () => {
    const w = new WatermarkEstimator(options, T0);
    w.arrived("a", T0 - 5000, T0);
    w.arrived("b", T0 - 100, T0 + 10);
    assert.equal(w.current(T0 + 20, Infinity, false), T0 - 6000);
  });

  it("the watermark never decreases", () => {
    const w = new WatermarkEstimator(options, T0);
    w.arrived("a", T0, T0);
    assert.equal(w.current(T0, Infinity, false), T0 - 1000);
    w.arrived("b", T0 - 60_000, T0 + 1);
    assert.equal(w.current(T0 + 2, Infinity, false), T0 - 1000);
  });

  it("the watermark follows the clock when no messages arrive, unless flow control holds them back", () => {
    const w = new WatermarkEstimator(options, T0);
    w.arrived("a", T0 - 5000, T0);
    assert.equal(w.current(T0 + 10_000, Infinity, true), T0 - 6000);
    assert.equal(w.current(T0 + 20_000, Infinity, false), T0 + 19_000);
  });

  it("the watermark waits for the redelivery of a nacked message", () => {
    const w = new WatermarkEstimator(options, T0);
    w.nacked("a", T0 - 5000, T0, 60_000);
    assert.equal(w.current(T0 + 30_000, Infinity, false), T0 - 6000);
    w.arrived("a", T0 - 5000, T0 + 31_000);
    assert.equal(w.current(T0 + 40_000, Infinity, false), T0 + 39_000);
  });

  it("the watermark stops waiting for a nacked message after the hold time", () => {
    const w = new WatermarkEstimator(options, T0);
    w.nacked("a", T0 - 5000, T0, 60_000);
    assert.equal(w.current(T0 + 61_000, Infinity, false), T0 + 60_000);
  });

  it("events that bypass the windows do not hold the watermark", () => {
    const w = new WatermarkEstimator(options, T0);
    w.arrived("from 2020", Date.UTC(2020, 1, 29), T0);
    w.arrived("now", T0, T0);
    assert.equal(w.current(T0, Date.UTC(2020, 1, 29), false), T0 - 1000);
  });

  it("a buffered message holds the watermark", () => {
    const w = new WatermarkEstimator(options, T0);
    w.arrived("a", T0 - 5000, T0);
    assert.equal(w.current(T0 + 60_000, T0 - 5000, false), T0 - 6000);
  });

  it("the watermark waits for redeliveries after the start", () => {
    const w = new WatermarkEstimator({ ...options, startupHoldMs: 30_000 }, T0);
    assert.equal(w.current(T0 + 29_000, Infinity, false), 0);
    assert.equal(w.current(T0 + 31_000, Infinity, false), T0 + 30_000);
  });
});
