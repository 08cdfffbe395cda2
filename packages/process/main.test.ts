import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

const FIXTURE = require.resolve("./testing/mainFixture");

describe("runMain", () => {
  const run = (program: string) => spawnSync(process.execPath, [FIXTURE, program], { encoding: "utf8" });

  it("runMain exits with 0 when main returns nothing, also with open handles", () => {
    const { status, stderr } = run("returnsNothing");
    assert.deepEqual([status, stderr], [0, ""]);
  });

  it("runMain exits with the code that main returns", () => {
    const { status, stderr } = run("returnsCode");
    assert.deepEqual([status, stderr], [3, ""]);
  });

  it("runMain prints only the message of a UserError and exits with its code", () => {
    const { status, stderr } = run("userError");
    assert.deepEqual([status, stderr], [2, "--port: 0 is not a port\n"]);
  });

  it("runMain prints the stack and the cause of an unexpected error and exits with 1", () => {
    const { status, stderr } = run("error");
    assert.equal(status, 1);
    assert.match(stderr, /^Error: broken\n {4}at [^]*the disk is full/);
  });

  it("runMain handles an error that main throws synchronously", () => {
    const { status, stderr } = run("throwsAtOnce");
    assert.equal(status, 1);
    assert.match(stderr, /^Error: before the first await\n/);
  });
});
