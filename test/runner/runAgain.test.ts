import assert from "node:assert/strict";
import { runFailedAgain } from "./runAgain";
import { summaryLine, type FileSummary, type TestSummary } from "./summary";

const file = (passed: number, failed: number): FileSummary => ({ passed, failed, skipped: 0, timeMs: 1 });

/** Runs failed files again with given outcomes. */
async function again(first: TestSummary, second: TestSummary): Promise<[string, ...string[]]> {
  const { summary, unstable } = await runFailedAgain(first, async (files) => {
    assert.deepEqual(files, Object.keys(second));
    return second;
  });
  return [summaryLine(summary), ...unstable];
}

describe("runFailedAgain", () => {
  const passes = { a: file(3, 0) };

  it("counts a file that failed once as it ends the second time, and reports it as unstable", async () => {
    assert.deepEqual(await again({ ...passes, b: file(4, 1) }, { b: file(5, 0) }), ["8 passed, 0 failed", "b"]);
  });

  it("keeps the failures of files that fail again", async () => {
    const first = { ...passes, b: file(4, 1), c: file(0, 2) };
    assert.deepEqual(await again(first, { b: file(3, 2), c: file(2, 0) }), ["8 passed, 2 failed", "c"]);
  });

  it("runs nothing again when nothing has failed, or so much that it is no coincidence", async () => {
    const none = async (): Promise<TestSummary> => assert.fail("nothing is run");
    assert.deepEqual(await runFailedAgain(passes, none), { summary: passes, unstable: [] });
    const many = Object.fromEntries(["b", "c", "d", "e"].map((name) => [name, file(1, 1)]));
    assert.deepEqual(await runFailedAgain(many, none), { summary: many, unstable: [] });
  });
});
