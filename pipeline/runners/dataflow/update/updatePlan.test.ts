import assert from "node:assert/strict";
import type { Step } from "./step";
import { stepsByKind } from "./stepsByKind";
import { planUpdate } from "./updatePlan";

const step = (name: string, more: Partial<Step> = {}): Step => ({
  name,
  keeps: undefined,
  cells: [],
  windows: "global windows",
  ...more,
});

const state = (name: string, ...cells: string[]): Step => step(name, { keeps: "state", cells });

const running = [
  step("Parse"),
  step("Users/ByUser"),
  state("Users/Ledger", "users"),
  step("Group", { keeps: "groups", windows: "sessions of 30m" }),
];
const without = (name: string): Step[] => running.filter((one) => one.name !== name);

describe("planUpdate", () => {
  it("finds nothing to tell about the same steps", () => {
    const plan = planUpdate(running, running, {});
    assert.deepEqual(plan, { renamed: [], added: [], removed: [], losses: [], wrongMappings: [] });
  });

  it("loses nothing when steps that keep nothing come and go", () => {
    const plan = planUpdate(running, [...without("Parse"), step("Validate")], {});
    assert.deepEqual(plan.added, ["Validate"]);
    assert.deepEqual(plan.removed, ["Parse"]);
    assert.deepEqual(plan.losses, []);
  });

  it("tells what a renamed step would lose, and the mapping that keeps it", () => {
    const { losses } = planUpdate(running, [...without("Users/Ledger"), state("People/Ledger", "users")], {});
    assert.deepEqual(losses, [
      "Users/Ledger (state) is gone; if it has another name now: --transform-name-mapping Users/Ledger=People/Ledger",
    ]);
  });

  it("takes beginnings of names for all that begin so, and the longest of them first", () => {
    const next = [step("Parse"), step("People/ByUser"), state("People/Book", "users"), running[3] as Step];
    const plan = planUpdate(running, next, { Users: "People", "Users/Ledger": "People/Book" });
    assert.deepEqual(plan.renamed, [
      { from: "Users/ByUser", to: "People/ByUser" },
      { from: "Users/Ledger", to: "People/Book" },
    ]);
    assert.deepEqual([plan.added, plan.removed, plan.losses, plan.wrongMappings], [[], [], [], []]);
    // "Users" is no beginning of the name "UsersOfOld".
    assert.deepEqual(planUpdate([step("UsersOfOld")], [step("UsersOfOld")], { Users: "People" }).renamed, []);
  });

  it("makes do with what the service knows of the steps", () => {
    const kinds = {
      Group: "GROUP_BY_KEY_KIND",
      Parse: "PAR_DO_KIND",
      "Users/Ledger": "PAR_DO_KIND",
      Users: "UNKNOWN_KIND",
    };
    const known = stepsByKind(Object.entries(kinds).map(([name, kind]) => ({ name, kind })));
    assert.deepEqual(planUpdate(known, running, {}).losses, []);
    assert.deepEqual(planUpdate(known, [...without("Users/Ledger"), state("People/Ledger", "users")], {}).losses, [
      "Users/Ledger (maybe state) is gone; if it has another name now: " +
        "--transform-name-mapping Users/Ledger=People/Ledger",
    ]);
  });

  it("names entries of the mapping that fit no step", () => {
    const { wrongMappings } = planUpdate(running, running, { User: "Parse", Parse: "Pars" });
    assert.deepEqual(wrongMappings, ["the running job has no step User", "the new pipeline has no step Pars"]);
  });

  it("sees state that stays by name and changes in kind", () => {
    const lossesWith = (next: Step): readonly string[] => planUpdate(running, [...without(next.name), next], {}).losses;
    assert.deepEqual(lossesWith(state("Users/Ledger", "days")), ["Users/Ledger (state) no longer has users"]);
    assert.deepEqual(lossesWith(state("Users/Ledger", "users", "days")), []);
    assert.deepEqual(lossesWith(step("Users/Ledger")), ["Users/Ledger (state) now keeps nothing"]);
    assert.deepEqual(lossesWith(step("Group", { keeps: "groups", windows: "sessions of 10m" })), [
      "Group (elements that wait for their window) had sessions of 30m and would have sessions of 10m",
    ]);
  });
});
