import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cacheDir, packageRootOf } from "@eventlogger/process/packageRoot";
import { ensureFlinkClasspath } from "./index";
import { findPackage, SHARED_PACKAGES } from "./sharedPackages";

const PACKAGES = [packageRootOf(__filename), packageRootOf(require.resolve("@eventlogger/process/packageRoot"))];

describe("Example of the README of the Beam package", () => {
  let project: string;
  before(async () => {
    await ensureFlinkClasspath({ cacheDir });
    project = realpathSync(mkdtempSync(join(tmpdir(), "example-")));
  });
  after(() => rmSync(project, { recursive: true, force: true }));

  /** Runs a command in the project; returns its output. The error contains the output. */
  function run(command: string, ...args: string[]): string {
    try {
      return execFileSync(command, args, { cwd: project, encoding: "utf8", stdio: "pipe" });
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
    }
  }

  /** Unpacks the tarballs of both packages into node_modules. */
  function installTarballs(): void {
    for (const root of PACKAGES) {
      execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", project], { cwd: root, stdio: "pipe" });
      const { name } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { name: string };
      const target = join(project, "node_modules", name);
      mkdirSync(target, { recursive: true });
      const [tarball = ""] = readdirSync(project).filter((file) => file.endsWith(".tgz"));
      run("tar", "-xzf", tarball, "--strip-components=1", "-C", target);
      rmSync(join(project, tarball));
    }
  }

  function link(target: string, path: string): void {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    symlinkSync(target, join(project, path));
  }

  it("the examples of the README compile against the packed packages, and run on embedded Flink", () => {
    const readme = readFileSync(join(PACKAGES[0] as string, "README.md"), "utf8");
    const files = [...readme.matchAll(/^```(?:json|ts) (\S+)\n([^]*?)^```$/gm)];
    assert.deepEqual(
      files.map(([, name]) => name),
      ["package.json", "tsconfig.json", "visits.ts", "pages.ts", "main.ts"],
    );
    for (const [, name = "", content = ""] of files) writeFileSync(join(project, name), content);
    installTarballs();
    for (const name of ["apache-beam", ...SHARED_PACKAGES]) {
      link(findPackage(name, __filename)?.directory as string, join("node_modules", name));
    }
    link(packageRootOf(require.resolve("@types/node/package.json")), "node_modules/@types/node");
    link(cacheDir, ".cache"); // holds the classpath of the job server
    run(process.execPath, require.resolve("typescript/bin/tsc"));
    const output = run(process.execPath, "dist/main.js");
    assert.match(output, /^ann 2$/m, output);
    assert.match(output, /^bob 1$/m, output);
    const pages = run(process.execPath, "dist/main.js", "pages");
    assert.match(pages, /^ann: \/home \/cart$/m, pages);
    assert.match(pages, /^ann: \/home$/m, pages);
  });
});
