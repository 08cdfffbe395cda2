import assert from "node:assert/strict";
import { WatermarkEstimator } from "./watermark";

const T0 = 1_800_000_000_000;
const options = { slackMs: 1000, idleMs: 2000, startupHoldMs: 0, ignoreOlderMs: 86_400_000 };

describe("WatermarkEstimator", () => {
  it("stays behind the oldest recent arrival by the slack", () => {
    const w = new WatermarkEstimator(options, T0);
    w.arrived("a", T0 - 5000, T0);
    w.arrived("b", T0 - 100, T0 + 10);
    assert.equal(w.current(T0 + 20, Infinity, false), T0 - 6000);
  });

  it("never goes back", () => {
    const w = new WatermarkEstimator(options, T0);
    w.arrived("a", T0, T0);
    assert.equal(w.current(T0, Infinity, false), T0 - 1000);
    w.arrived("b", T0 - 60_000, T0 + 1);
    assert.equal(w.current(T0 + 2, Infinity, false), T0 - 1000);
  });

  it("follows the clock when idle, but not when flow control is the reason for the silence", () => {
    const w = new WatermarkEstimator(options, T0);
    w.arrived("a", T0 - 5000, T0);
    assert.equal(w.current(T0 + 10_000, Infinity, true), T0 - 6000);
    assert.equal(w.current(T0 + 20_000, Infinity, false), T0 + 19_000);
  });

  it("holds at what was given back until it comes again", () => {
    const w = new WatermarkEstimator(options, T0);
    w.gaveBack("a", T0 - 5000, T0, 60_000);
    assert.equal(w.current(T0 + 30_000, Infinity, false), T0 - 6000);
    w.arrived("a", T0 - 5000, T0 + 31_000);
    assert.equal(w.current(T0 + 40_000, Infinity, false), T0 + 39_000);
  });

  it("waits for what was given back only so long", () => {
    const w = new WatermarkEstimator(options, T0);
    w.gaveBack("a", T0 - 5000, T0, 60_000);
    assert.equal(w.current(T0 + 61_000, Infinity, false), T0 + 60_000);
  });

  it("is not held by events that go round the windows", () => {
    const w = new WatermarkEstimator(options, T0);
    w.arrived("from 2020", Date.UTC(2020, 1, 29), T0);
    w.arrived("now", T0, T0);
    assert.equal(w.current(T0, Date.UTC(2020, 1, 29), false), T0 - 1000);
  });

  it("is held by what waits in the buffer", () => {
    const w = new WatermarkEstimator(options, T0);
    w.arrived("a", T0 - 5000, T0);
    assert.equal(w.current(T0 + 60_000, T0 - 5000, false), T0 - 6000);
  });

  it("waits for redeliveries after the start", () => {
    const w = new WatermarkEstimator({ ...options, startupHoldMs: 30_000 }, T0);
    assert.equal(w.current(T0 + 29_000, Infinity, false), 0);
    assert.equal(w.current(T0 + 31_000, Infinity, false), T0 + 30_000);
  });
});
