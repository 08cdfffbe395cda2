import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addDay,
  firstDay,
  firstDayAfter,
  hasDay,
  lastDayBefore,
  listDays,
  removeDay,
  subtractDays,
  unionDays,
  type DaySet,
} from "./activeDays";

const days = fc.array(fc.oneof(fc.integer({ min: 18_000, max: 18_100 }), fc.integer({ min: -50, max: 30_000 })), {
  maxLength: 60,
});

const setOf = (list: readonly number[]): DaySet => list.reduce<DaySet>(addDay, undefined);
const ascending = (list: Iterable<number>): number[] => [...new Set(list)].sort((a, b) => a - b);

describe("activeDays", () => {
  it("sets of days have the days that were added, whatever the order, and equal sets are equal values", () => {
    fc.assert(
      fc.property(days, (list) => {
        const set = setOf(list);
        assert.deepEqual(listDays(set), ascending(list));
        assert.deepEqual(setOf([...list].reverse()), set);
        assert.equal(firstDay(set), ascending(list)[0]);
        for (const day of list) assert.ok(hasDay(set, day) && hasDay(set, day - 1) === list.includes(day - 1));
      }),
      { numRuns: 1000 },
    );
  });

  it("union and difference of sets of days equal those of Set, and do not change their arguments", () => {
    fc.assert(
      fc.property(days, days, (a, b) => {
        const [left, right] = [setOf(a), setOf(b)];
        assert.deepEqual(unionDays(left, right), setOf([...a, ...b]));
        assert.deepEqual(subtractDays(left, right), setOf(a.filter((day) => !b.includes(day))));
        assert.deepEqual(b.reduce(removeDay, left), subtractDays(left, right));
        assert.deepEqual([left, right], [setOf(a), setOf(b)]);
      }),
      { numRuns: 500 },
    );
  });

  it("the neighbours of a day are found within the bounds", () => {
    fc.assert(
      fc.property(days, fc.integer({ min: 17_990, max: 18_110 }), fc.nat(40), (list, day, distance) => {
        const set = setOf(list);
        const before = ascending(list).filter((d) => d < day && d >= day - distance);
        const after = ascending(list).filter((d) => d > day && d <= day + distance);
        assert.equal(lastDayBefore(set, day, day - distance), before.at(-1));
        assert.equal(firstDayAfter(set, day, day + distance), after[0]);
      }),
      { numRuns: 1000 },
    );
  });
});
