import assert from "node:assert/strict";
import { startOfVersion, versionFloor, VersionNumbers } from "./versionNumbers";

describe("VersionNumbers", () => {
  it("count up for each day from the highest of the floor, the stored version and what the process has written", () => {
    const numbers = new VersionNumbers(1000);
    assert.deepEqual([numbers.next(1, 0), numbers.next(1, 0), numbers.next(2, 5)], [1001, 1002, 1001]);
    assert.deepEqual([numbers.next(1, 2000), numbers.next(1, 1500), numbers.next(1, 0, 3000)], [2001, 2002, 3001]);
  });

  it("blocks of worker starts follow each other, and the first start after an earlier release is above its versions", () => {
    const epochMs = Date.UTC(2026, 10, 30);
    const start = startOfVersion(epochMs) + 1;
    assert.ok(versionFloor(start) > epochMs);
    assert.equal(startOfVersion(versionFloor(start) + 1), start);
    assert.ok(versionFloor(start + 1) > new VersionNumbers(versionFloor(start)).next(1, 0));
    assert.ok(new VersionNumbers(versionFloor(8_000_000)).next(1, 0) < Number.MAX_SAFE_INTEGER);
    assert.throws(() => versionFloor(2 ** 23), /No numbers for rollup versions are left/);
  });
});
