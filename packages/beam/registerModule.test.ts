import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { moduleName } from "./registerModule";

describe("Names of modules that workers load", () => {
  let directory: string;
  beforeEach(() => {
    directory = realpathSync(mkdtempSync(join(tmpdir(), "module-name-")));
    writeFileSync(join(directory, "package.json"), '{ "name": "@scope/app", "exports": { "./*": "./dist/*.js" } }');
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const file = (path: string): string => join(directory, path);

  it("moduleName is the name of the package and the path below dist", () => {
    assert.equal(moduleName(file("dist/steps.js")), "@scope/app/steps");
    assert.equal(moduleName(file("dist/a/b/dist.js")), "@scope/app/a/b/dist");
  });

  it("moduleName is a name by which Node finds the file again", () => {
    mkdirSync(file("dist/a"), { recursive: true });
    writeFileSync(file("dist/a/steps.js"), "");
    const name = moduleName(file("dist/a/steps.js"));
    assert.equal(createRequire(file("anywhere.js")).resolve(name), file("dist/a/steps.js"));
  });

  it("moduleName refuses a file that is not a compiled module, and names file and package", () => {
    for (const path of ["steps.js", "src/steps.js", "dist/steps.ts", "dist/steps.json"]) {
      assert.throws(
        () => moduleName(file(path)),
        new RegExp(`${path.replace(".", "\\.")} is not a compiled module of @scope/app`),
      );
    }
  });

  it("moduleName belongs to the nearest package", () => {
    mkdirSync(file("dist/vendor/dist"), { recursive: true });
    writeFileSync(file("dist/vendor/package.json"), '{ "name": "vendor" }');
    assert.equal(moduleName(file("dist/vendor/dist/x.js")), "vendor/x");
  });

  it("registerModule registers the exports of a module under its name", () => {
    mkdirSync(file("dist"));
    // In a process of its own: a registered module is loaded by all workers that this process starts.
    writeFileSync(
      file("dist/steps.js"),
      `exports.Step = class {};
       require(${JSON.stringify(require.resolve("./registerModule"))}).registerModule(module);`,
    );
    const script = `
      require(${JSON.stringify(file("dist/steps.js"))});
      const { getRegisteredModules, registeredObjects } = require(${JSON.stringify(require.resolve("apache-beam/serialization"))});
      const step = registeredObjects.find(({ name }) => name === "beam:@scope/app/steps.Step.self");
      console.log(JSON.stringify([getRegisteredModules().includes("@scope/app/steps"), step !== undefined]));`;
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    assert.equal(stdout, "[true,true]\n", stderr);
  });
});
