import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { patchLegacyUtil } from "./nodeCompat";

/** Loads a module in a new process, after the code in `without`: exit code and standard error. */
function load(module: string, without = ""): { status: number | null; stderr: string } {
  const script = `${without} require(${JSON.stringify(module)}); process.exit(0)`;
  const { status, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
  return { status, stderr };
}

const WITHOUT_IS_PRIMITIVE = `delete require("node:util").isPrimitive;`;

describe("Patch for Node 22 and 24", () => {
  it("the patched util.isPrimitive tells primitives from objects", () => {
    const targets: { isPrimitive?: (value: unknown) => boolean }[] = [
      {},
      { isPrimitive: () => assert.fail("the function of Node was called") },
    ];
    for (const target of targets) {
      patchLegacyUtil(target);
      for (const primitive of [null, undefined, 0, "", true, 1n, Symbol()]) assert.ok(target.isPrimitive?.(primitive));
      for (const other of [{}, [], () => {}, new Date()]) assert.equal(target.isPrimitive?.(other), false);
    }
  });

  it("the SDK loads without a warning, also on a Node without util.isPrimitive", () => {
    assert.deepEqual(load(require.resolve("../sdk")), { status: 0, stderr: "" });
    assert.deepEqual(load(require.resolve("../sdk"), WITHOUT_IS_PRIMITIVE), { status: 0, stderr: "" });
    const broken = load(require.resolve("apache-beam"), WITHOUT_IS_PRIMITIVE);
    assert.match(broken.stderr, /isPrimitive\)? is not a function/);
  });
});
