import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { withoutPatch } from "../testing/scenario";
import { scenarios } from "./externalTransforms.scenario";

describe("Patch of external transforms", () => {
  // The SDK copies files to the home folder.
  const home = process.env["HOME"];
  let directory: string;
  before(() => (process.env["HOME"] = directory = mkdtempSync(path.join(tmpdir(), "home-"))));
  after(() => {
    process.env["HOME"] = home;
    rmSync(directory, { recursive: true, force: true });
  });

  it("patched external transforms keep the names of steps, share environments and requirements, and copy no files", async () => {
    assert.deepEqual(await scenarios.twoTransforms(), {
      names: ["First", "First/External", "Second", "Second/External"],
      environmentsInUse: 2, // that of the surrounding steps, and that of the service
      environments: 2,
      requirements: ["beam:requirement:pardo:stateful:v1"],
      stay: true,
      hashed: true,
    });
    const file = require.resolve("./externalTransforms.scenario");
    const { twoTransforms } = await withoutPatch("externalTransforms", file, ["twoTransforms"]);
    assert(twoTransforms?.ended === "value", JSON.stringify(twoTransforms));
    assert.deepEqual(twoTransforms.value, {
      names: ["First", "namespace_0_First-External", "Second", "namespace_2_Second-External"],
      environmentsInUse: 3,
      environments: 3,
      requirements: ["beam:requirement:pardo:stateful:v1", "beam:requirement:pardo:stateful:v1"],
      stay: false,
      hashed: true,
    });
  });

  it("the output of a patched external transform can be flattened with other collections", async () => {
    assert.equal(await scenarios.flattened(), 1);
    const file = require.resolve("./externalTransforms.scenario");
    const { flattened } = await withoutPatch("externalTransforms", file, ["flattened"]);
    assert(flattened?.ended === "error", JSON.stringify(flattened));
    assert.match(flattened.message, /Unable to deduce single value/);
  });
});
