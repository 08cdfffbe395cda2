import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { restoreLegacyUtil } from "./nodeCompat";

describe("nodeCompat", () => {
  it("tells primitives from the rest, with and without Node's own", () => {
    const targets: { isPrimitive?: (value: unknown) => boolean }[] = [{}, { isPrimitive: () => assert.fail("warns") }];
    for (const target of targets) {
      restoreLegacyUtil(target);
      for (const primitive of [null, undefined, 0, "", true, 1n, Symbol()]) assert.ok(target.isPrimitive?.(primitive));
      for (const other of [{}, [], () => {}, new Date()]) assert.equal(target.isPrimitive?.(other), false);
    }
  });

  it("lets the SDK load without a word", function () {
    this.timeout(30_000);
    const sdk = JSON.stringify(join(__dirname, "..", "sdk.js"));
    const { status, stderr } = spawnSync(process.execPath, ["-e", `require(${sdk})`], { encoding: "utf8" });
    assert.deepEqual([status, stderr], [0, ""]);
  });
});
