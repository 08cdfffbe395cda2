import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";

describe("tools/bootstrap.mjs", () => {
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

  function bootstrap(env: Readonly<Record<string, string>> = {}): {
    code: number | null;
    stdout: string;
    stderr: string;
  } {
    const args = [at("tools/bootstrap.mjs"), "app/dist/main.js", "--flag", "x"];
    const options = { encoding: "utf8", cwd: tmpdir(), env: { ...process.env, ...env } } as const;
    const { status: code, stdout, stderr } = spawnSync(process.execPath, args, options);
    // A busy machine takes longer than the time after which a compilation is announced.
    return { code, stdout, stderr: stderr.replace(/^compiling\n/m, "") };
  }

  it("bootstrap.mjs compiles, then runs the program with its arguments", () => {
    assert.deepEqual(bootstrap(), { code: 0, stdout: "ran --flag x\n", stderr: "" });
  });

  it("bootstrap.mjs compiles changed files again", () => {
    writeFileSync(at("app/main.ts"), "console.log('changed');\n");
    assert.deepEqual(bootstrap(), { code: 0, stdout: "changed\n", stderr: "" });
  });

  it("bootstrap.mjs builds the bundles of the client and of the dashboard after it has compiled", () => {
    for (const name of ["client", "dashboard"]) {
      mkdirSync(at(`packages/${name}`), { recursive: true });
      const source = `process.stderr.write(process.argv.slice(2).join() + " ${name}\\n");\n`;
      writeFileSync(at(`packages/${name}/build.mjs`), source);
    }
    assert.deepEqual(bootstrap(), { code: 0, stdout: "changed\n", stderr: "--quiet client\n--quiet dashboard\n" });
    rmSync(at("packages"), { recursive: true });
  });

  it("bootstrap.mjs installs packages when the lock file has changed, and reports how many npm has fetched", () => {
    writeLock("1.5.0");
    const npm = at("npm.js");
    writeFileSync(
      npm,
      `for (const name of ["a", "b", "c"]) console.error("npm http fetch GET 200 " + name);
       console.error("npm warn deprecated b");
       console.error("npm error an error");
       require("fs").copyFileSync(${JSON.stringify(at("package-lock.json"))},
         ${JSON.stringify(at("node_modules/.package-lock.json"))});`,
    );
    const { code, stdout, stderr } = bootstrap({ npm_execpath: npm });
    assert.deepEqual([code, stdout], [0, "changed\n"]);
    assert.match(stderr, /^installing npm packages\n(.*\n)*npm error an error\n(.*\n)*.*: 3 fetched, \d+ s\n$/);
    assert.doesNotMatch(stderr, /npm (http|warn)/);
    assert.equal(bootstrap({ npm_execpath: "nothing" }).stderr, "", "nothing is installed again");
  });

  it("bootstrap.mjs prints compile errors and does not run the old program", () => {
    writeFileSync(at("app/main.ts"), "const n: number = 'text';\n");
    for (let i = 0; i < 2; i++) {
      const { code, stdout, stderr } = bootstrap();
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /app\/main\.ts.*not assignable/);
    }
    writeFileSync(at("app/main.ts"), "console.log('fixed');\n");
    assert.equal(bootstrap().stdout, "fixed\n");
  });

  it("bootstrap.mjs refuses to install through a symbolic link", () => {
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
