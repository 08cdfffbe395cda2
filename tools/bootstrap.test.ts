import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "@eventlogger/process/packageRoot";

describe("bootstrap", function () {
  this.timeout(120_000);
  let root: string;
  const at = (path: string): string => join(root, path);

  /** A small package that is installed and not built. */
  before(() => {
    root = mkdtempSync(join(tmpdir(), "bootstrap-"));
    for (const dir of ["local", "config", "node_modules"]) mkdirSync(at(dir));
    const plain = ["local/bootstrap.mjs", "local/toolchain.cjs"];
    for (const file of [...plain, "pipeline/process/tryCommand.cjs", "pipeline/python/findPython.cjs"])
      cpSync(join(packageRoot, file), at(file));
    symlinkSync(join(packageRoot, "node_modules", "typescript"), at("node_modules/typescript"));
    const lock = { lockfileVersion: 3, packages: { "node_modules/a": { version: "1.0.0", integrity: "x" } } };
    writeFileSync(at("package.json"), '{"name":"p"}');
    writeFileSync(at("package-lock.json"), JSON.stringify(lock));
    writeFileSync(at("node_modules/.package-lock.json"), JSON.stringify(lock));
    const compilerOptions = { outDir: "dist", rootDir: ".", module: "commonjs", types: [], incremental: true };
    writeFileSync(at("tsconfig.json"), JSON.stringify({ compilerOptions, include: ["config/*.ts"] }));
    writeFileSync(at("config/main.ts"), "declare const process: any; console.log('ran', ...process.argv.slice(2));\n");
    writeFileSync(at("config/old.ts"), "export {};\n");
  });
  after(() => rmSync(root, { recursive: true }));

  function bootstrap(): { code: number | null; stdout: string; stderr: string } {
    const args = [at("local/bootstrap.mjs"), "dist/config/main.js", "--flag", "x"];
    const { status: code, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", cwd: tmpdir() });
    return { code, stdout, stderr };
  }

  it("builds and runs the script with its arguments", () => {
    assert.deepEqual(bootstrap(), { code: 0, stdout: "ran --flag x\n", stderr: "compiling\n" });
  });

  it("builds again only when a source has changed", () => {
    assert.deepEqual(bootstrap(), { code: 0, stdout: "ran --flag x\n", stderr: "" });
    writeFileSync(at("config/main.ts"), "console.log('changed');\n");
    assert.deepEqual(bootstrap(), { code: 0, stdout: "changed\n", stderr: "compiling\n" });
  });

  it("takes away what was compiled from a source that is gone", () => {
    assert.ok(existsSync(at("dist/config/old.js")));
    rmSync(at("config/old.ts"));
    writeFileSync(at("dist/config/module.mjs"), "");
    bootstrap();
    assert.ok(!existsSync(at("dist/config/old.js")));
    assert.ok(!existsSync(at("dist/config/module.mjs")));
    assert.ok(existsSync(at("dist/config/main.js")));
  });

  it("shows what does not compile, and tries again the next time", () => {
    writeFileSync(at("config/main.ts"), "const n: number = 'text';\n");
    for (let i = 0; i < 2; i++) {
      const { code, stderr } = bootstrap();
      assert.equal(code, 1);
      assert.match(stderr, /config\/main\.ts.*not assignable/);
    }
    writeFileSync(at("config/main.ts"), "console.log('mended');\n");
    const past = new Date(Date.now() - 600_000); // as an unpacked archive may leave it
    utimesSync(at("config/main.ts"), past, past);
    assert.equal(bootstrap().stdout, "mended\n");
  });

  it("installs nothing through a link", () => {
    const lock = { lockfileVersion: 3, packages: { "node_modules/a": { version: "2.0.0", integrity: "y" } } };
    writeFileSync(at("package-lock.json"), JSON.stringify(lock));
    const modules = at("elsewhere");
    cpSync(at("node_modules"), modules, { recursive: true });
    rmSync(at("node_modules"), { recursive: true });
    symlinkSync(modules, at("node_modules"));
    const { code, stderr } = bootstrap();
    assert.equal(code, 1);
    assert.match(stderr, /node_modules is a link/);
    assert.ok(existsSync(join(modules, ".package-lock.json")));
  });
});
