import assert from "node:assert/strict";
import type { BreakdownAnswer, BreakdownNumbers } from "../api/answers";
import { BreakdownChanges } from "./breakdownChanges";

const numbers = (events: number, persons: number | null = events): BreakdownNumbers => ({
  events,
  sessions: events,
  person_days: persons,
  persons: null,
});

function answer(values: Readonly<Record<string, BreakdownNumbers>>, others = 0): BreakdownAnswer {
  return {
    ...{ generation: 1, time_zone: "UTC", as_of: "", refreshed_at: "", dimension: "page", dimensions: ["page"] },
    totals: numbers(1000),
    values: Object.entries(values).map(([value, of]) => ({ value, ...of })),
    other: { ...numbers(others), value_count: others },
  };
}

const events = (of: BreakdownNumbers): number | null => of.events;

describe("BreakdownChanges", () => {
  it("has the numbers of a value in both periods, and 0 in one that lacks it", () => {
    const changes = new BreakdownChanges({
      now: answer({ "/a": numbers(30), "/new": numbers(5), constructor: numbers(7) }),
      before: answer({ "/a": numbers(20), "/gone": numbers(9) }),
    });
    assert.deepEqual(changes.of("/a", events), { now: 30, before: 20 });
    assert.deepEqual(changes.of("/new", events), { now: 5, before: 0 });
    assert.deepEqual(changes.of("/gone", events), { now: 0, before: 9 });
    assert.deepEqual(changes.of("constructor", events), { now: 7, before: 0 });
  });

  it("does not know a number of a value that may be among the others, nor one that the service does not know", () => {
    const changes = new BreakdownChanges({
      now: answer({ "/a": numbers(30), "/b": numbers(2, null) }),
      before: answer({ "/b": numbers(1) }, 3),
    });
    assert.deepEqual(changes.of("/a", events), { now: 30, before: null });
    assert.deepEqual(
      changes.of("/b", (of) => of.person_days),
      { now: null, before: 1 },
    );
  });
});
