import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runFailedAgain } from "./runAgain";
import { runTests } from "./runTests";
import { failedFiles, slowestFiles, summaryLine } from "./summary";

describe("runTests", function () {
  this.timeout(60_000);
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "run-tests-"))));
  afterEach(() => rmSync(directory, { recursive: true }));

  function write(name: string, code: string): string {
    const file = join(directory, name);
    writeFileSync(file, code);
    return file;
  }

  const wait = "(done) => setTimeout(done, 50)";

  for (const jobs of [1, 2]) {
    it(`runTests counts results and the time of each file with ${jobs} process(es)`, async () => {
      const slow = write(
        "slow.js",
        `describe("slow", () => { before(${wait}); it("waits", ${wait}); it.skip("is skipped", () => {}); });`,
      );
      const quick = write("quick.js", `it("passes", () => {}); it("fails", () => { throw new Error("on purpose"); });`);
      const summary = await runTests({ files: [quick, slow], jobs, isQuiet: true });
      assert.equal(summaryLine(summary), "2 passed, 1 failed, 1 skipped");
      assert.ok((summary[slow]?.timeMs ?? 0) >= 90, `hook and test are counted: ${JSON.stringify(summary)}`);
      const [first] = slowestFiles(directory, summary);
      assert.match(first ?? "", /^ +\d+\.\d s {2}slow\.ts$/);
      assert.deepEqual(failedFiles(summary), [quick]);
    });
  }

  it("a file that fails once counts as it ends when it runs again, and is named", async () => {
    const marker = JSON.stringify(join(directory, "has-run"));
    const once = write(
      "once.js",
      `const fs = require("node:fs");
      it("fails the first time", () => { if (!fs.existsSync(${marker})) { fs.writeFileSync(${marker}, ""); throw new Error("once"); } });`,
    );
    const passes = write("passes.js", `it("passes", () => {});`);
    const first = await runTests({ files: [once, passes], jobs: 2, isQuiet: true });
    assert.equal(summaryLine(first), "1 passed, 1 failed");
    const { summary, unstable } = await runFailedAgain(first, (files) => runTests({ files, isQuiet: true }));
    assert.equal(summaryLine(summary), "2 passed, 0 failed");
    assert.deepEqual(unstable, [once]);
  });

  it("runTests rejects when a file cannot be loaded, and when mocha dies", async () => {
    const broken = write("broken.js", "throw new Error('broken')");
    await assert.rejects(runTests({ files: [broken], isQuiet: true }), /ended before its tests/);
    const dies = write("dies.js", "it('dies', () => process.kill(process.pid, 'SIGKILL'))");
    await assert.rejects(runTests({ files: [dies], isQuiet: true }), /ended before its tests \(SIGKILL\)/);
  });
});
