import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { checkSdkVersion, SDK_VERSION, UnsupportedSdkVersionError } from "./version";

describe("Version of the SDK", () => {
  /** Loads the library with another `apache-beam/version`; the rest of the SDK throws when it is loaded. */
  function loadWith(version: string): { status: number | null; stderr: string } {
    const script = `
      const Module = require("node:module");
      const load = Module._load;
      Module._load = (request, ...rest) => {
        if (request === "apache-beam/version") ${version};
        if (request.startsWith("apache-beam")) throw new Error("the SDK was loaded");
        return load(request, ...rest);
      };
      require(${JSON.stringify(require.resolve("./sdk"))});`;
    return spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
  }

  it("checkSdkVersion accepts the supported version only", () => {
    checkSdkVersion(SDK_VERSION);
    assert.throws(() => checkSdkVersion("2.50.0"), UnsupportedSdkVersionError);
    assert.throws(
      () => checkSdkVersion("2.50.0"),
      /2\.50\.0 is installed.*npm install --save-exact apache-beam@2\.49\.0/,
    );
  });

  it("importing the library fails before the SDK is loaded when the SDK has another version", () => {
    const { status, stderr } = loadWith('return { version: "2.61.0" }');
    assert.equal(status, 1);
    assert.match(stderr, /UnsupportedSdkVersionError: apache-beam 2\.61\.0 is installed/);
  });

  it("importing the library fails with the install command when the SDK is missing", () => {
    const { status, stderr } = loadWith('throw Object.assign(new Error("not found"), { code: "MODULE_NOT_FOUND" })');
    assert.equal(status, 1);
    assert.match(stderr, /UnsupportedSdkVersionError: apache-beam is not installed.*apache-beam@2\.49\.0/);
  });
});
