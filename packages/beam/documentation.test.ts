import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import "./sdk";
import { PATCHES } from "./patches/install";

describe("README of the Beam package", () => {
  const root = packageRootOf(__filename);
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const rows = [...readme.matchAll(/^\| (.*) \| .* \| .* \| (.*) \|$/gm)].slice(1);

  it("the table of patches has a row for every patch, and no other", () => {
    const names = rows.flatMap(([, patch = ""]) => /^`(\w+)`$/.exec(patch)?.[1] ?? []);
    assert.deepEqual(names.sort(), Object.keys(PATCHES).sort());
  });

  it("the table of patches names tests that exist", () => {
    const tests = rows.flatMap(([, , test = ""]) => /^`(.+\.test\.ts)`$/.exec(test)?.[1] ?? []);
    assert.ok(tests.length >= 11, `only ${tests.length} tests were found`);
    for (const test of tests) assert(existsSync(join(root, test)), `there is no ${test}`);
  });

  it("every feature that the table of parity claims names a test that exists", () => {
    const parity = readFileSync(join(root, "docs", "parity.md"), "utf8");
    const features = [...parity.matchAll(/^\|(.*)\|$/gm)].slice(2).map(([, row = ""]) => row.split(" | "));
    assert.ok(features.length >= 15, `only ${features.length} features were found`);
    for (const [feature = "", , , here = "", test = ""] of features) {
      if (here.trim() === "no") continue;
      const files = [...test.matchAll(/`([^`]+\.test\.ts)`/g)].map(([, file = ""]) => file);
      assert(files.length > 0, `${feature}: no test is named`);
      for (const file of files) assert(existsSync(join(root, file)), `${feature}: there is no test ${file}`);
    }
  });
});
