import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { checkSharedPackages, findPackage, SHARED_PACKAGES, SharedPackageError } from "./sharedPackages";

const PACKAGE_ROOT = packageRootOf(__filename);
const own = packageRootOf(require.resolve("@eventlogger/process/packageRoot"));

describe("Packages shared with the SDK", () => {
  let directory: string;
  beforeEach(() => void (directory = realpathSync(mkdtempSync(join(tmpdir(), "shared-")))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** Installs an empty package; returns its folder. */
  function install(folder: string, name: string, version: string): string {
    const target = join(directory, folder, "node_modules", name);
    mkdirSync(target, { recursive: true });
    writeFileSync(join(target, "package.json"), JSON.stringify({ name, version }));
    writeFileSync(join(target, "index.js"), "");
    return target;
  }
  const file = (folder: string): string => join(directory, folder, "index.js");

  it("checkSharedPackages accepts packages that library and SDK load from the same folder", () => {
    for (const name of SHARED_PACKAGES) install(".", name, "1.0.0");
    install("app/node_modules/apache-beam", "unrelated", "1.0.0");
    checkSharedPackages(file("app"), file("app/node_modules/apache-beam"));
  });

  it("checkSharedPackages refuses another version, and names both copies and the command to run", () => {
    for (const name of SHARED_PACKAGES) install(".", name, "4.0.0");
    const other = install("app", "long", "5.2.3");
    assert.throws(
      () => checkSharedPackages(file("app"), file("sdk")),
      (error) => {
        assert(error instanceof SharedPackageError);
        assert.equal(error.packageName, "long");
        assert(error.message.includes(`resolves long 5.2.3 (${other})`), error.message);
        assert(
          error.message.includes(`resolves long 4.0.0 (${join(directory, "node_modules", "long")})`),
          error.message,
        );
        assert.match(error.message, /npm install --save-exact long@4\.0\.0 && npm dedupe$/);
        return true;
      },
    );
  });

  it("checkSharedPackages refuses a second copy of the same version", () => {
    for (const name of SHARED_PACKAGES) install(".", name, "1.0.0");
    install("app", "@grpc/grpc-js", "1.0.0");
    assert.throws(() => checkSharedPackages(file("app"), file("sdk")), /Both must be the same copy/);
  });

  it("checkSharedPackages names a package that the library cannot find", () => {
    for (const name of SHARED_PACKAGES) install("sdk", name, "6.11.4");
    for (const name of SHARED_PACKAGES.slice(0, -1))
      symlink(join("sdk", "node_modules", name), join("app", "node_modules", name));
    assert.throws(
      () => checkSharedPackages(file("app"), file("sdk")),
      /cannot find protobufjs, which it must share.*npm install --save-exact protobufjs@6\.11\.4/,
    );
  });

  it("findPackage finds the version of an installed package, also below a package.json without a name", () => {
    const target = install(".", "long", "4.0.0");
    mkdirSync(join(target, "lib"));
    writeFileSync(join(target, "lib", "package.json"), '{"type":"commonjs"}');
    writeFileSync(join(target, "lib", "main.js"), "");
    writeFileSync(join(target, "package.json"), '{"name":"long","version":"4.0.0","main":"lib/main.js"}');
    assert.deepEqual(findPackage("long", file("app")), { directory: target, version: "4.0.0" });
    assert.equal(findPackage("no-such-package", file("app")), undefined);
  });

  function symlink(target: string, link: string): void {
    mkdirSync(dirname(join(directory, link)), { recursive: true });
    symlinkSync(join(directory, target), join(directory, link));
  }

  it("importing the library fails before the SDK is loaded when a package has a second copy", () => {
    // This library as an application installs it, beside the SDK of this checkout and another version of long.
    const library = join(directory, "node_modules", "library");
    cpSync(join(PACKAGE_ROOT, "dist"), join(library, "dist"), { recursive: true });
    cpSync(join(PACKAGE_ROOT, "package.json"), join(library, "package.json"));
    const modules = join(directory, "node_modules");
    mkdirSync(join(modules, "@eventlogger"));
    symlinkSync(own, join(modules, "@eventlogger", "process"));
    symlinkSync(findPackage("apache-beam", __filename)?.directory as string, join(modules, "apache-beam"));
    for (const name of SHARED_PACKAGES) {
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(findPackage(name, __filename)?.directory as string, join(modules, name));
    }
    const load = () =>
      spawnSync(
        process.execPath,
        ["-e", `require(${JSON.stringify(join(library, "dist", "index.js"))}); process.exit(0)`],
        {
          encoding: "utf8",
        },
      );
    assert.deepEqual([load().status, load().stderr], [0, ""]);
    rmSync(join(modules, "long"));
    install(".", "long", "5.2.3");
    const { status, stderr } = load();
    assert.equal(status, 1);
    assert.match(stderr, /SharedPackageError: This library resolves long 5\.2\.3/);
  });
});
