import assert from "node:assert/strict";
import fc from "fast-check";
import { AckTracker } from "./ackTracker";

describe("AckTracker", () => {
  it("AckTracker releases a bundle after two later checkpoints, whatever their numbers are", () => {
    const tracker = new AckTracker<string>();
    assert.deepEqual(tracker.add("1a", 1), []);
    assert.deepEqual(tracker.add("1b", 1), []);
    assert.deepEqual(tracker.add("5a", 5), [], "checkpoints 2 to 4 have failed; 5 may have begun before 1b ended");
    assert.deepEqual(tracker.add("6a", 6), ["1a", "1b"]);
    assert.deepEqual(tracker.add("6b", 6), []);
    assert.deepEqual(tracker.add("7a", 7), ["5a"]);
  });

  it("AckTracker returns everything that waits when the job attempt ends", () => {
    const tracker = new AckTracker<string>();
    tracker.add("a", 1);
    tracker.add("b", 2);
    assert.deepEqual(tracker.takeAll(), ["a", "b"]);
    assert.deepEqual(tracker.takeAll(), []);
  });

  /**
   * A runner like Flink: one checkpoint at a time; each takes a snapshot of the bundles that have ended. When the operator is
   * notified that one is complete, perhaps after the next snapshot, all ended bundles are finalised. Finalisations reach
   * the worker late and spread.
   */
  type Step = "bundle" | "snapshot" | "complete" | "fail" | "notify" | "deliver";
  const STEPS: readonly Step[] = ["bundle", "snapshot", "complete", "fail", "notify", "deliver", "deliver", "deliver"];
  const steps = fc.array(fc.constantFrom(...STEPS), { minLength: 300, maxLength: 300 });

  it("AckTracker never releases a bundle that the newest complete checkpoint lacks, in any order of events", () => {
    let released = 0;
    fc.assert(
      fc.property(steps, (run) => {
        const tracker = new AckTracker<number>();
        const ended: number[] = [];
        let unfinalised: number[] = [];
        let isNotified = true;
        const requested: number[] = [];
        let next = 0;
        let snapshot: { readonly number: number; readonly contains: ReadonlySet<number> } | undefined;
        let complete: { readonly number: number; readonly contains: ReadonlySet<number> } | undefined;
        for (const step of run) {
          if (step === "bundle") {
            ended.push(ended.length);
            unfinalised.push(ended.length - 1);
          } else if (step === "snapshot") {
            snapshot ??= { number: next++, contains: new Set(ended) };
          } else if (step === "fail") {
            snapshot = undefined;
          } else if (step === "complete" && snapshot) {
            complete = snapshot;
            snapshot = undefined;
            isNotified = false;
          } else if (step === "notify" && !isNotified) {
            isNotified = true;
            requested.push(...unfinalised);
            unfinalised = [];
          } else if (step === "deliver" && complete) {
            const bundle = requested.shift();
            if (bundle === undefined) continue;
            for (const safe of tracker.add(bundle, complete.number)) {
              released++;
              assert(complete.contains.has(safe), `bundle ${safe} is not in checkpoint ${complete.number}`);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
    assert(released > 100, "bundles were released");
  });
});
