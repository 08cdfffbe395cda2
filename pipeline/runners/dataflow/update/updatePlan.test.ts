import assert from "node:assert/strict";
import type { Step } from "./step";
import { stepsByKind } from "./stepsByKind";
import { planUpdate } from "./updatePlan";

const step = (name: string, more: Partial<Step> = {}): Step => ({
  name,
  keeps: undefined,
  cells: [],
  coders: {},
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
  it("reports no changes for the same steps", () => {
    const plan = planUpdate(running, running, {});
    assert.deepEqual(plan, { renamed: [], added: [], removed: [], losses: [], wrongMappings: [] });
  });

  it("reports no loss when steps without state are added and removed", () => {
    const plan = planUpdate(running, [...without("Parse"), step("Validate")], {});
    assert.deepEqual(plan.added, ["Validate"]);
    assert.deepEqual(plan.removed, ["Parse"]);
    assert.deepEqual(plan.losses, []);
  });

  it("reports no loss when a step with state is added", () => {
    const plan = planUpdate(running, [...running, state("Record/Ledger", "accepted")], {});
    assert.deepEqual([plan.added, plan.losses], [["Record/Ledger"], []]);
  });

  it("reports the loss of a renamed step and suggests the mapping that keeps its state", () => {
    const { losses } = planUpdate(running, [...without("Users/Ledger"), state("People/Ledger", "users")], {});
    assert.deepEqual(losses, [
      "Users/Ledger (state) was removed. If it was renamed, map its name: --transform-name-mapping Users/Ledger=People/Ledger",
    ]);
  });

  it("maps name prefixes, and prefers the longest prefix", () => {
    const next = [step("Parse"), step("People/ByUser"), state("People/Book", "users"), running[3] as Step];
    const plan = planUpdate(running, next, { Users: "People", "Users/Ledger": "People/Book" });
    assert.deepEqual(plan.renamed, [
      { from: "Users/ByUser", to: "People/ByUser" },
      { from: "Users/Ledger", to: "People/Book" },
    ]);
    assert.deepEqual([plan.added, plan.removed, plan.losses, plan.wrongMappings], [[], [], [], []]);
    // "Users" is not a step prefix of "UsersOfOld".
    assert.deepEqual(planUpdate([step("UsersOfOld")], [step("UsersOfOld")], { Users: "People" }).renamed, []);
  });

  it("compares with the steps that the service lists when the proto is missing", () => {
    const kinds = {
      Group: "GROUP_BY_KEY_KIND",
      Parse: "PAR_DO_KIND",
      "Users/Ledger": "PAR_DO_KIND",
      Users: "UNKNOWN_KIND",
    };
    const known = stepsByKind(Object.entries(kinds).map(([name, kind]) => ({ name, kind })));
    assert.deepEqual(planUpdate(known, running, {}).losses, []);
    assert.deepEqual(planUpdate(known, [...without("Users/Ledger"), state("People/Ledger", "users")], {}).losses, [
      "Users/Ledger (possibly state) was removed. If it was renamed, map its name: " +
        "--transform-name-mapping Users/Ledger=People/Ledger",
    ]);
  });

  it("reports mapping entries that match no step", () => {
    const { wrongMappings } = planUpdate(running, running, { User: "Parse", Parse: "Pars" });
    assert.deepEqual(wrongMappings, ["the running job has no step User", "the new pipeline has no step Pars"]);
  });

  it("reports lost cells, lost state and changed windows of a step that keeps its name", () => {
    const lossesWith = (next: Step): readonly string[] => planUpdate(running, [...without(next.name), next], {}).losses;
    assert.deepEqual(lossesWith(state("Users/Ledger", "days")), ["Users/Ledger (state) would lose users"]);
    assert.deepEqual(lossesWith(state("Users/Ledger", "users", "days")), []);
    assert.deepEqual(lossesWith(step("Users/Ledger")), ["Users/Ledger (state) would keep no state instead"]);
    assert.deepEqual(lossesWith(step("Group", { keeps: "groups", windows: "sessions of 10m" })), [
      "Group (elements buffered for their window) would change its windowing from sessions of 30m to sessions of 10m",
    ]);
  });

  it("reports which coders of kept data change, and no loss when a coder is added or unknown", () => {
    const coders = { key: "string_utf8", "state users": "string_utf8" };
    const withCoders = (changed: Record<string, string>): Step => ({
      ...state("Users/Ledger", "users"),
      coders: changed,
    });
    const before = [...without("Users/Ledger"), withCoders(coders)];
    const lossesWith = (changed: Record<string, string>): readonly string[] =>
      planUpdate(before, [...without("Users/Ledger"), withCoders(changed)], {}).losses;
    assert.deepEqual(lossesWith(coders), []);
    assert.deepEqual(lossesWith({ ...coders, "state users": "bytes", key: "varint" }), [
      "Users/Ledger (state) would change its coders, and the new ones cannot read what is stored: " +
        "key from string_utf8 to varint; state users from string_utf8 to bytes",
    ]);
    assert.deepEqual(lossesWith({ ...coders, "timer expiry": "timer<string_utf8>" }), []);
    assert.deepEqual(lossesWith({}), []);
    assert.deepEqual(planUpdate(running, before, {}).losses, []);
  });
});
