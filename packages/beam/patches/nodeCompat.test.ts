import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { patchLegacyUtil } from "./nodeCompat";

/** Loads a module, on a Node that lacks `util.isPrimitive` as 24 does when told so: exit code and standard error. */
function load(module: string, without = ""): { status: number | null; stderr: string } {
  const script = `${without} require(${JSON.stringify(module)}); process.exit(0)`;
  const { status, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
  return { status, stderr };
}

const WITHOUT_IS_PRIMITIVE = `delete require("node:util").isPrimitive;`;

describe("Repair for Node 22 and 24", function () {
  this.timeout(30_000);

  it("tells primitives from the rest, with and without Node's own", () => {
    const targets: { isPrimitive?: (value: unknown) => boolean }[] = [{}, { isPrimitive: () => assert.fail("warns") }];
    for (const target of targets) {
      patchLegacyUtil(target);
      for (const primitive of [null, undefined, 0, "", true, 1n, Symbol()]) assert.ok(target.isPrimitive?.(primitive));
      for (const other of [{}, [], () => {}, new Date()]) assert.equal(target.isPrimitive?.(other), false);
    }
  });

  it("lets the SDK load without a word, also where util.isPrimitive is gone", () => {
    assert.deepEqual(load(require.resolve("../sdk")), { status: 0, stderr: "" });
    assert.deepEqual(load(require.resolve("../sdk"), WITHOUT_IS_PRIMITIVE), { status: 0, stderr: "" });
    const broken = load(require.resolve("apache-beam"), WITHOUT_IS_PRIMITIVE);
    assert.match(broken.stderr, /isPrimitive\)? is not a function/);
  });
});
