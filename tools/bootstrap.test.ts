import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";

describe("tools/bootstrap.mjs", function () {
  this.timeout(120_000);
  let root: string;
  const at = (path: string): string => join(root, path);
  const writeLock = (version: string): void => {
    const lock = { lockfileVersion: 3, packages: { "node_modules/a": { version, integrity: version } } };
    writeFileSync(at("package-lock.json"), JSON.stringify(lock));
  };

  /** A small repository that is installed and not compiled. */
  before(() => {
    root = mkdtempSync(join(tmpdir(), "bootstrap-"));
    for (const dir of ["tools", "app", "node_modules"]) mkdirSync(at(dir));
    cpSync(join(repositoryRoot, "tools", "bootstrap.mjs"), at("tools/bootstrap.mjs"));
    symlinkSync(join(repositoryRoot, "node_modules", "typescript"), at("node_modules/typescript"));
    writeFileSync(at("package.json"), '{"name":"p"}');
    writeLock("1.0.0");
    cpSync(at("package-lock.json"), at("node_modules/.package-lock.json"));
    writeFileSync(at("tsconfig.json"), JSON.stringify({ files: [], references: [{ path: "app" }] }));
    const compilerOptions = { outDir: "dist", rootDir: ".", module: "commonjs", types: [], composite: true };
    writeFileSync(at("app/tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
    writeFileSync(at("app/main.ts"), "declare const process: any; console.log('ran', ...process.argv.slice(2));\n");
  });
  after(() => rmSync(root, { recursive: true }));

  function bootstrap(): { code: number | null; stdout: string; stderr: string } {
    const args = [at("tools/bootstrap.mjs"), "app/dist/main.js", "--flag", "x"];
    const { status: code, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", cwd: tmpdir() });
    return { code, stdout, stderr };
  }

  it("compiles, and runs the program with its arguments", () => {
    assert.deepEqual(bootstrap(), { code: 0, stdout: "ran --flag x\n", stderr: "" });
  });

  it("compiles again what has changed", () => {
    writeFileSync(at("app/main.ts"), "console.log('changed');\n");
    assert.deepEqual(bootstrap(), { code: 0, stdout: "changed\n", stderr: "" });
  });

  it("shows what does not compile, and does not run the old program", () => {
    writeFileSync(at("app/main.ts"), "const n: number = 'text';\n");
    for (let i = 0; i < 2; i++) {
      const { code, stdout, stderr } = bootstrap();
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /app\/main\.ts.*not assignable/);
    }
    writeFileSync(at("app/main.ts"), "console.log('fixed');\n");
    assert.equal(bootstrap().stdout, "fixed\n");
  });

  it("refuses to install through a symbolic link", () => {
    writeLock("2.0.0");
    const modules = at("elsewhere");
    cpSync(at("node_modules"), modules, { recursive: true });
    rmSync(at("node_modules"), { recursive: true });
    symlinkSync(modules, at("node_modules"));
    const { code, stderr } = bootstrap();
    assert.equal(code, 1);
    assert.match(stderr, /node_modules is a symbolic link/);
    assert.ok(existsSync(join(modules, ".package-lock.json")));
  });
});
