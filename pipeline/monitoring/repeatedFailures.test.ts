import assert from "node:assert/strict";
import { RepeatedFailures } from "./repeatedFailures";

describe("RepeatedFailures", () => {
  let lines: string[];
  let now: number;
  let failures: RepeatedFailures;
  beforeEach(() => {
    lines = [];
    now = 0;
    failures = new RepeatedFailures(
      (line) => lines.push(line),
      () => now,
    );
  });
  const forbidden = (rows: number): void =>
    failures.report({
      what: "a bundle",
      error: `BigQuery did not accept ${rows} ${rows === 1 ? "row" : "rows"}: forbidden`,
    });

  it("prints a failure that repeats for 9 minutes once, and its number when it is over", () => {
    for (let n = 1; n <= 540; n++) {
      forbidden(n);
      now += 1000;
    }
    assert.deepEqual(lines, ["a bundle failed, and is tried again: BigQuery did not accept 1 row: forbidden"]);
    assert.deepEqual(failures.current(), [
      "a bundle failed 540 times in 540 s: BigQuery did not accept 540 rows: forbidden",
    ]);
    failures.checkpointCompleted();
    assert.equal(lines.length, 1);
    failures.checkpointCompleted();
    assert.deepEqual(lines.slice(1), ["recovered: a bundle failed 540 times in 540 s"]);
    assert.deepEqual(failures.current(), []);
    forbidden(1);
    assert.equal(lines.length, 3);
  });

  it("prints a failure that goes on every 10 minutes with its number", () => {
    for (let n = 0; n <= 1200; n++) {
      forbidden(1);
      if (n % 7 === 0) failures.checkpointCompleted(); // one checkpoint between two failures is no recovery
      now += 1000;
    }
    assert.deepEqual(lines.slice(1), [
      "a bundle failed 601 times in 600 s, and is tried again: BigQuery did not accept 1 row: forbidden",
      "a bundle failed 1201 times in 1200 s, and is tried again: BigQuery did not accept 1 row: forbidden",
    ]);
  });

  it("keeps a bounded number of kinds", () => {
    for (let n = 0; n < 1000; n++) failures.report({ what: `step ${"x".repeat(n)}`, error: "wrong" });
    assert.equal(failures.current().length, 20);
    assert.equal(lines.length, 20);
  });
});
