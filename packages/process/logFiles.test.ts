import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { appendLog, rotateLog } from "./logFiles";

describe("rotateLog", () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "logs-"));
    file = path.join(directory, "x.log");
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("keeps the newest files, and bounds the size of all together, while a process has the log open", () => {
    const log = openSync(file, "a");
    for (let n = 1; n <= 50; n++) {
      writeSync(log, `line ${n}\n`.padEnd(100, "."));
      rotateLog(file, { maxBytes: 500, keep: 2 });
    }
    closeSync(log);
    assert.deepEqual(readdirSync(directory).sort(), ["x.log", "x.log.1", "x.log.2"]);
    const texts = ["x.log.2", "x.log.1", "x.log"].map((name) => readFileSync(path.join(directory, name), "utf8"));
    const numbers = [...texts.join("").matchAll(/line (\d+)/g)].map(([, n]) => Number(n));
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, i) => 51 - numbers.length + i),
    );
    assert(numbers.length >= 12, "two earlier files of six lines are kept");
    assert(texts.every((text) => text.length <= 600));
  });

  it("does nothing to a small or a missing file", () => {
    assert.equal(rotateLog(file, { maxBytes: 10, keep: 1 }), false);
    appendLog(file, "short");
    assert.equal(rotateLog(file, { maxBytes: 10, keep: 1 }), false);
    assert.equal(statSync(file).size, 5);
  });
});

describe("appendLog", () => {
  it("does not throw when the file cannot be written", () => {
    appendLog("/dev/full", "text");
    assert.throws(() => statSync("/no/such/folder/x.log"));
    appendLog("/no/such/folder/x.log", "text");
  });
});
