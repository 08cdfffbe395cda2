import assert from "node:assert/strict";
import { PublishedUntil } from "./publishedUntil";

/** Google's time at the start of a test, epoch ms; the monotonic clock has another origin. */
const T0 = 1_800_000_000_000;
const START = 5_000_000;
const LEASE = 60_000;

/** Times in the tests count from {@link T0}, ms. */
function estimate() {
  const until = new PublishedUntil(LEASE, START, () => T0 + 7_000_000);
  return {
    arrived: (id: string, publishedAt: number, at: number) => until.arrived(id, T0 + publishedAt, START + at),
    nacked: (id: string, publishedAt: number, at: number, holdMs = LEASE) =>
      until.nacked(id, T0 + publishedAt, START + at, holdMs),
    current: (at: number, oldestHeld = Infinity, isBlocked = false) => {
      const value = until.current(START + at, T0 + oldestHeld, isBlocked);
      return value === undefined ? undefined : value - T0;
    },
  };
}

describe("PublishedUntil", () => {
  it("nothing is known until the leases of a reader that was killed before have ended", () => {
    const until = estimate();
    until.arrived("a", 1000, 1000);
    assert.equal(until.current(LEASE - 1), undefined);
    assert.notEqual(until.current(LEASE), undefined);
  });

  it("is before the oldest message that is not acknowledged", () => {
    const until = estimate();
    until.arrived("a", 90_000, 90_000);
    until.arrived("b", 100_000, 100_000);
    assert.equal(until.current(100_000, 90_000), 89_999);
    assert.equal(until.current(100_000), 95_000, "a message may overtake others by 5 s");
  });

  it("a quiet subscription is read until half a lease ago, and a paused one is not", () => {
    const until = estimate();
    until.arrived("a", 100_000, 100_000);
    assert.equal(until.current(129_999), 95_000);
    assert.equal(until.current(130_000), 100_000);
    assert.equal(until.current(200_000), 170_000);
    assert.equal(until.current(201_000, Infinity, true), 95_000);
    assert.equal(until.current(230_999), 95_000, "quiet since the pull was resumed");
    assert.equal(until.current(231_000), 201_000);
  });

  it("a nacked message is awaited until it is redelivered, or for the time of the hold", () => {
    const until = estimate();
    until.arrived("a", 50_000, 50_000);
    until.nacked("a", 50_000, 60_000);
    until.arrived("b", 100_000, 100_000);
    assert.equal(until.current(100_000), 49_999);
    until.arrived("a", 50_000, 101_000);
    assert.equal(until.current(101_000), 95_000);
    until.nacked("b", 100_000, 110_000);
    assert.equal(until.current(170_000), 99_999);
    assert.equal(until.current(170_001), 140_001);
  });

  it("without any message it follows the clock of the host", () => {
    assert.equal(estimate().current(LEASE), 7_000_000 - LEASE / 2);
  });
});
