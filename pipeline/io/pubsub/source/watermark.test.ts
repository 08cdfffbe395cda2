import assert from "node:assert/strict";
import { WatermarkEstimator } from "./watermark";

/** Google's time at the start of a test, epoch ms; the monotonic clock has another origin. */
const T0 = 1_800_000_000_000;
const START = 5_000_000;
const DAY = 86_400_000;
const options = { slackMs: 1000, idleMs: 2000, ignoreOlderMs: DAY };

/** An estimator. Times in the tests count from {@link T0}, ms. */
function estimator() {
  const w = new WatermarkEstimator(options, START);
  return {
    arrived: (id: string, eventTime: number, at: number, publishedAt = at) =>
      w.arrived(id, { eventTime: T0 + eventTime, publishTime: T0 + publishedAt }, START + at),
    nacked: (id: string, eventTime: number, at: number, holdMs: number) =>
      w.nacked(id, { eventTime: T0 + eventTime, publishTime: T0 + at }, START + at, holdMs),
    current: (at: number, oldestBuffered = Infinity, isBlocked = false) =>
      w.current(START + at, T0 + oldestBuffered, isBlocked) - T0,
  };
}

describe("WatermarkEstimator", () => {
  it("the watermark stays behind the oldest recent arrival by the slack", () => {
    const w = estimator();
    w.arrived("a", -5000, 0);
    w.arrived("b", -100, 10);
    assert.equal(w.current(20), -6000);
  });

  it("of several readers one without a message follows the clock of its host, so that it does not hold back the others", () => {
    let hostNow = T0;
    const idle = new WatermarkEstimator({ ...options, hasOtherReaders: true }, START, () => hostNow);
    assert.equal(idle.current(START + 1000, Infinity, false), 0, "a message may be on its way");
    hostNow = T0 + 60_000;
    assert.equal(idle.current(START + 60_000, Infinity, true), 0, "flow control holds messages back");
    assert.equal(idle.current(START + 60_000, Infinity, false), hostNow - 1000);
    // From the first message on, only Google's clock counts.
    const publishTime = T0 + 70_000;
    idle.arrived("a", { eventTime: publishTime, publishTime }, START + 61_000);
    hostNow = T0 + DAY;
    assert.equal(idle.current(START + 61_000, Infinity, false), publishTime - 1000);
    const only = new WatermarkEstimator(options, START, () => hostNow);
    assert.equal(only.current(START + 60_000, Infinity, false), 0);
  });

  it("the watermark never decreases", () => {
    const w = estimator();
    w.arrived("a", 0, 0);
    assert.equal(w.current(0), -1000);
    w.arrived("b", -60_000, 1);
    assert.equal(w.current(2), -1000);
  });

  it("the watermark follows the monotonic clock when no messages arrive, unless flow control holds them back", () => {
    const w = estimator();
    w.arrived("a", -5000, 0);
    assert.equal(w.current(10_000, Infinity, true), -6000);
    assert.equal(w.current(20_000), 19_000);
  });

  it("the watermark does not advance before the first message arrives", () => {
    assert.equal(estimator().current(3_600_000), -T0);
  });

  it("the watermark is never ahead of the publish times, also when events claim to be of tomorrow", () => {
    const w = estimator();
    w.arrived("a", DAY, 0);
    assert.equal(w.current(500), -500);
    assert.equal(w.current(60_000), 59_000);
  });

  it("a message that was delivered late does not turn the estimate of Google's time back", () => {
    const w = estimator();
    w.arrived("a", 0, 0);
    w.arrived("b", 4000, 5000, 4000 - 30_000);
    assert.equal(w.current(60_000), 59_000);
  });

  it("while only messages of a backlog have arrived, the watermark follows their publish times", () => {
    const w = estimator();
    w.arrived("a", -3 * DAY, 0, -3 * DAY);
    assert.equal(w.current(60_000), -3 * DAY + 59_000);
  });

  it("the watermark waits for the redelivery of a nacked message", () => {
    const w = estimator();
    w.arrived("b", 0, 0);
    w.nacked("a", -5000, 0, 60_000);
    assert.equal(w.current(30_000), -6000);
    w.arrived("a", -5000, 31_000);
    assert.equal(w.current(40_000), 39_000);
  });

  it("the watermark stops waiting for a nacked message after the hold time", () => {
    const w = estimator();
    w.arrived("b", 0, 0);
    w.nacked("a", -5000, 0, 60_000);
    assert.equal(w.current(61_000), 60_000);
  });

  it("events that bypass the windows do not hold the watermark", () => {
    const w = estimator();
    w.arrived("from 2020", Date.UTC(2020, 1, 29) - T0, 0);
    w.arrived("now", 0, 0);
    assert.equal(w.current(0), -1000);
  });

  it("a buffered message holds the watermark", () => {
    const w = estimator();
    w.arrived("a", -5000, 0);
    assert.equal(w.current(60_000, -5000), -6000);
  });
});
