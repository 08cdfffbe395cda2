import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { nextWorkerStart, raiseWorkerStarts } from "./workerStarts";

describe("Numbers of worker starts", () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(path.join(tmpdir(), "starts-"))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("the numbers continue those of an earlier release, and rise above a number from elsewhere", () => {
    writeFileSync(path.join(directory, "worker-starts.json"), "41\n");
    assert.deepEqual([nextWorkerStart(directory), nextWorkerStart(directory)], [42, 43]);
    raiseWorkerStarts(directory, 7);
    raiseWorkerStarts(directory, 100);
    assert.equal(nextWorkerStart(directory), 101);
    assert.deepEqual(readdirSync(directory).sort(), ["worker-start-101", "worker-starts.json"]);
  });

  it("processes that start workers at the same time get different numbers", async () => {
    const code = `
      const { nextWorkerStart } = require(${JSON.stringify(require.resolve("./workerStarts"))});
      const numbers = Array.from({ length: 200 }, () => nextWorkerStart(${JSON.stringify(directory)}));
      console.log(JSON.stringify(numbers));`;
    const outputs = await Promise.all(
      [1, 2, 3, 4].map(() => promisify(execFile)(process.execPath, ["-e", code], { timeout: 30_000 })),
    );
    const numbers = outputs.flatMap(({ stdout }) => JSON.parse(stdout) as number[]);
    assert.equal(new Set(numbers).size, 800);
  });
});
