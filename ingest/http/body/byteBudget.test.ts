import assert from "node:assert/strict";
import { ByteBudget } from "./byteBudget";

describe("ByteBudget", () => {
  it("ByteBudget refuses bytes above its limit, and takes them once others are released", () => {
    const budget = new ByteBudget(100);
    assert.ok(budget.take(60));
    assert.ok(!budget.take(41));
    assert.equal(budget.taken, 60);
    budget.give(60);
    assert.ok(budget.take(100));
  });

  it("ByteBudget evicts the oldest bodies that have been arriving for two seconds, as many as are needed", () => {
    let now = 0;
    const budget = new ByteBudget(100, () => now);
    const evicted: string[] = [];
    const arrive = (name: string, bytes: number): ReturnType<ByteBudget["arrives"]> => {
      assert.ok(budget.take(bytes));
      return budget.arrives(() => {
        evicted.push(name);
        budget.give(bytes);
      });
    };
    const first = arrive("first", 30);
    arrive("second", 30);
    arrive("third", 30);
    now = 1999;
    assert.ok(!budget.take(20));
    assert.deepEqual(evicted, []);
    now = 2000;
    budget.arrived(first);
    assert.ok(budget.take(20));
    assert.deepEqual(evicted, ["second"]);
    assert.ok(budget.take(20));
    assert.ok(!budget.take(50));
    assert.deepEqual([evicted, budget.taken], [["second", "third"], 70]);
  });
});
