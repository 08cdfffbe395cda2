import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

  it("runTests rejects when a file cannot be loaded, and when mocha dies", async () => {
    const broken = write("broken.js", "throw new Error('broken')");
    await assert.rejects(runTests({ files: [broken], isQuiet: true }), /ended before its tests/);
    const dies = write("dies.js", "it('dies', () => process.kill(process.pid, 'SIGKILL'))");
    await assert.rejects(runTests({ files: [dies], isQuiet: true }), /ended before its tests \(SIGKILL\)/);
  });
});
