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

  const workspaces = new Map([
    ["@p/app", "app"],
    ["@p/lib", "packages/lib"],
  ]);

  it("traceModules follows imports of all kinds across workspaces, and lists the npm packages of each workspace", () => {
    write({
      "app/dist/main.js": 'const a = require("./a"); const os = require("node:os"); require("koa");',
      "app/dist/a.js": 'exports.b = () => import("./b/index.js"); require("@google-cloud/pubsub/build/src");',
      "app/dist/b/index.js": 'require("../a"); require(".."); require("@p/lib/c/d");',
      "app/dist/index.js": 'require("@p/lib");',
      "app/dist/a.test.js": 'require("mocha");',
      "packages/lib/dist/index.js": 'require("pino/file");',
      "packages/lib/dist/c/d.js": 'require("koa");',
    });
    assert.deepEqual(traceModules(root, workspaces, ["@p/app/main"]), {
      files: [
        "app/dist/a.js",
        "app/dist/b/index.js",
        "app/dist/index.js",
        "app/dist/main.js",
        "packages/lib/dist/c/d.js",
        "packages/lib/dist/index.js",
      ],
      packages: new Map([
        ["app", ["@google-cloud/pubsub", "koa"]],
        ["packages/lib", ["koa", "pino"]],
      ]),
    });
  });

  it("traceModules follows the bare name of a package to the file that its exports name", () => {
    write({
      "app/dist/main.js": 'require("@p/lib");',
      "packages/lib/package.json": JSON.stringify({
        exports: {
          ".": { import: "./dist/lib.mjs", require: { types: "./dist/lib.d.ts", default: "./dist/lib.cjs" } },
        },
      }),
      "packages/lib/dist/lib.cjs": "",
    });
    assert.deepEqual(traceModules(root, workspaces, ["@p/app/main"]).files, [
      "app/dist/main.js",
      "packages/lib/dist/lib.cjs",
    ]);
  });

  it("traceModules ignores imports in comments and strings", () => {
    write({ "app/dist/main.js": '/** require("mocha") */ const text = "require(\'x\')"; // import("y")' });
    assert.deepEqual(traceModules(root, workspaces, ["@p/app/main"]), {
      files: ["app/dist/main.js"],
      packages: new Map(),
    });
  });

  it("traceModules refuses an import that cannot be resolved", () => {
    write({ "app/dist/main.js": 'require("./gone");' });
    assert.throws(
      () => traceModules(root, workspaces, ["@p/app/main"]),
      /main\.js imports \.\/gone, which does not exist/,
    );
    write({ "app/dist/main.js": 'require("@p/lib/gone");' });
    assert.throws(
      () => traceModules(root, workspaces, ["@p/app/main"]),
      /packages\/lib\/dist\/gone\.js does not exist/,
    );
    assert.throws(() => traceModules(root, workspaces, ["koa"]), /koa is not a module of any workspace/);
  });
});
