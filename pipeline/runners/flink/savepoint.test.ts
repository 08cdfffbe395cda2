import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { savepointToRestore } from "./savepoint";

describe("The savepoint of --restore-from", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "savepoint-"));
    const header = Buffer.alloc(20);
    header.writeUInt32BE(0x4960672d, 0);
    header.writeInt32BE(3, 4);
    header.writeBigInt64BE(41n, 8);
    writeFileSync(path.join(directory, "_metadata"), header);
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("a savepoint that is as new as the recorded checkpoint is used, from a path or a file URI", () => {
    for (const given of [directory, `file:${directory}`, `file://${directory}`]) {
      assert.deepEqual(savepointToRestore(given, 41), { directory, number: 41 });
    }
  });

  it("an older savepoint is refused, because it lacks acknowledged events", () => {
    assert.throws(
      () => savepointToRestore(directory, 42),
      /has number 41 and is older than checkpoint 42 .* lacks events/,
    );
  });

  it("a savepoint is refused for a state directory without state", () => {
    assert.throws(() => savepointToRestore(directory, 0), /use the --state-dir of its job/);
  });

  it("a folder without a savepoint, and one with another file, are refused", () => {
    assert.throws(() => savepointToRestore(path.join(directory, "x"), 1), /cannot be read: ENOENT/);
    writeFileSync(path.join(directory, "_metadata"), "something else, of some length");
    assert.throws(() => savepointToRestore(directory, 1), /its _metadata has another format/);
  });
});
