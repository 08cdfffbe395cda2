import assert from "node:assert/strict";
import fc from "fast-check";
import { addInterval, unionIntervals, type Interval } from "./sessionIntervals";

const GAP = 10;

/** Oracle: marks every point and joins marks less than the gap apart. */
function marked(intervals: readonly Interval[], gap: number): Interval[] {
  const points = new Set<number>();
  for (const [first, last] of intervals) for (let t = first; t <= last; t++) points.add(t);
  const sessions: [number, number][] = [];
  for (const t of [...points].sort((a, b) => a - b)) {
    const open = sessions[sessions.length - 1];
    if (open && t - open[1] < gap) open[1] = t;
    else sessions.push([t, t]);
  }
  return sessions;
}

const duration = (intervals: readonly Interval[]): number => intervals.reduce((sum, [a, b]) => sum + b - a, 0);

function addAll(
  added: readonly Interval[],
  gap: number,
): { intervals: Interval[]; sessions: number; durationMs: number } {
  let intervals: Interval[] = [];
  let sessions = 0;
  let durationMs = 0;
  for (const interval of added) {
    const before = structuredClone(intervals);
    const change = addInterval(intervals, interval, gap);
    assert.deepEqual(intervals, before, "the argument is not changed");
    if (!change) continue;
    assert.notDeepEqual(change.intervals, intervals, "undefined when nothing changes");
    ({ intervals } = change);
    sessions += change.sessions;
    durationMs += change.durationMs;
  }
  return { intervals, sessions, durationMs };
}

// At least 2: the oracle joins neighbouring points, which a gap of 1 would separate.
const gaps = fc.integer({ min: 2, max: 20 });
const intervalList = fc.array(
  fc.tuple(fc.nat(300), fc.nat(15)).map(([first, length]): Interval => [first, first + length]),
  { maxLength: 30 },
);

describe("sessionIntervals", () => {
  it("addInterval starts a session", () => {
    assert.deepEqual(addInterval([], [5, 8], GAP), { intervals: [[5, 8]], sessions: 1, durationMs: 3 });
  });

  it("addInterval keeps intervals exactly the gap apart separate and joins those a millisecond closer", () => {
    assert.deepEqual(addInterval([[0, 5]], [15, 15], GAP)?.intervals, [
      [0, 5],
      [15, 15],
    ]);
    assert.deepEqual(addInterval([[0, 5]], [14, 14], GAP), { intervals: [[0, 14]], sessions: 0, durationMs: 9 });
    assert.deepEqual(addInterval([[20, 25]], [10, 10], GAP)?.sessions, 1);
    assert.deepEqual(addInterval([[20, 25]], [11, 11], GAP), { intervals: [[11, 25]], sessions: 0, durationMs: 9 });
  });

  it("addInterval joins the sessions that the new interval bridges", () => {
    assert.deepEqual(addInterval([[0, 1], [15, 16], [30, 31], [90, 90]], [8, 24], GAP), {
      intervals: [
        [0, 31],
        [90, 90],
      ],
      sessions: -2,
      durationMs: 28,
    }); // prettier-ignore
  });

  it("addInterval returns undefined for an interval within a known one", () => {
    const known: Interval[] = [
      [0, 5],
      [20, 30],
    ];
    for (const again of [
      [0, 5],
      [20, 20],
      [22, 28],
      [30, 30],
    ] as Interval[]) {
      assert.equal(addInterval(known, again, GAP), undefined);
    }
  });

  /** A list of intervals, and the same list in any order and with repetitions. */
  const listAndOrder = intervalList.chain((list) => {
    const repeated = [...list, ...list.filter((_, i) => i % 3 === 0)];
    return fc.tuple(fc.constant(list), fc.shuffledSubarray(repeated, { minLength: repeated.length }));
  });

  it("session intervals equal brute force in any order and with repetitions", () => {
    fc.assert(
      fc.property(listAndOrder, gaps, ([list, shuffled], gap) => {
        const expected = marked(list, gap);
        const { intervals, sessions, durationMs } = addAll(shuffled, gap);
        assert.deepEqual(intervals, expected);
        assert.equal(sessions, expected.length);
        assert.equal(durationMs, duration(expected));
        assert.deepEqual(unionIntervals(shuffled, gap), expected);
      }),
      { numRuns: 1000 },
    );
  });

  it("the union of intervals does not depend on their grouping", () => {
    fc.assert(
      fc.property(intervalList, intervalList, gaps, (a, b, gap) => {
        const whole = unionIntervals([...a, ...b], gap);
        assert.deepEqual(unionIntervals([...unionIntervals(a, gap), ...unionIntervals(b, gap)], gap), whole);
        assert.deepEqual(unionIntervals(whole, gap), whole);
      }),
    );
  });

  it("addInterval finds its place in a long list by binary search", () => {
    const long = Array.from({ length: 100_000 }, (_, i): Interval => [i * 100, i * 100 + 1]);
    let reads = 0;
    const watched = new Proxy(long, {
      get: (target, key): unknown => {
        if (typeof key === "string" && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key);
      },
    });
    assert.equal(addInterval(watched, [5_000_000, 5_000_001], GAP), undefined);
    assert.ok(reads < 100, `${reads} reads`);
  });
});
