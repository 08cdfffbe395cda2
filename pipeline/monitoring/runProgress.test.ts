import assert from "node:assert/strict";
import { RunProgress } from "./runProgress";

describe("RunProgress", () => {
  let now = 0;
  const start = (): RunProgress => new RunProgress({ bundles: 0, checkpoint: undefined }, () => now);

  it("reports what did not happen: bundles, checkpoints, or both", () => {
    const progress = start();
    let bundles = 0;
    const pass = (seconds: number, { bundle = false, checkpoint }: { bundle?: boolean; checkpoint?: string }): void => {
      for (let n = 0; n < seconds; n++) {
        now += 1000;
        progress.update({ bundles: bundle ? ++bundles : bundles, checkpoint });
      }
    };
    pass(5, { bundle: true, checkpoint: "1" });
    assert.equal(progress.stuckFor(10_000), undefined);
    pass(10, { bundle: true, checkpoint: "1" });
    assert.match(progress.stuckFor(10_000) ?? "", /^no checkpoint was completed for 14 s \(since \d{4}-[^ ]*Z\)$/);
    pass(20, { checkpoint: "2" });
    assert.match(
      progress.stuckFor(10_000) ?? "",
      /^no bundle was finished for 20 s .*, and no checkpoint was completed for 19 s /,
    );
    pass(1, { bundle: true, checkpoint: "3" });
    assert.equal(progress.stuckFor(10_000), undefined);
  });

  it("counts from the start when nothing has happened yet", () => {
    const progress = start();
    for (let n = 0; n < 3; n++) {
      now += 4000;
      progress.update({ bundles: 0, checkpoint: undefined });
    }
    assert.match(progress.stuckFor(10_000) ?? "", /no bundle was finished for 12 s \(since the start at /);
  });

  it("does not count the time while its own process was suspended", () => {
    const progress = start();
    now += 8 * 3_600_000;
    progress.update({ bundles: 0, checkpoint: undefined });
    assert.equal(progress.stuckFor(10_000), undefined);
  });
});
