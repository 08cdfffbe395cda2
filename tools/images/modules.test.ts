import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { traceModules } from "./modules";

describe("traceModules", () => {
  let root: string;
  beforeEach(() => (root = mkdtempSync(join(tmpdir(), "trace-"))));
  afterEach(() => rmSync(root, { recursive: true }));

  function write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
  }

  it("follows imports of all kinds, and names the packages", () => {
    write({
      "dist/main.js": 'const a = require("./a"); const os = require("node:os"); require("koa");',
      "dist/a.js": 'exports.b = () => import("./b/index.js"); require("@google-cloud/pubsub/build/src");',
      "dist/b/index.js": 'require("../a"); require("..");',
      "dist/index.js": 'require("pino/file");',
      "dist/a.test.js": 'require("mocha");',
    });
    assert.deepEqual(traceModules(root, ["dist/main.js"]), {
      files: ["dist/a.js", "dist/b/index.js", "dist/index.js", "dist/main.js"],
      packages: ["@google-cloud/pubsub", "koa", "pino"],
    });
  });

  it("takes nothing in comments and texts for an import", () => {
    write({ "main.js": '/** require("mocha") */ const text = "require(\'x\')"; // import("y")' });
    assert.deepEqual(traceModules(root, ["main.js"]), { files: ["main.js"], packages: [] });
  });

  it("refuses an import that leads nowhere", () => {
    write({ "main.js": 'require("./gone");' });
    assert.throws(() => traceModules(root, ["main.js"]), /main\.js imports \.\/gone, which is not there/);
  });
});
