import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { checkSdkVersion, SDK_VERSION, UnsupportedSdkVersionError } from "./version";

describe("SDK version", function () {
  this.timeout(20_000);

  it("is the one that the library was made for", () => {
    checkSdkVersion(SDK_VERSION);
    assert.throws(() => checkSdkVersion("2.50.0"), UnsupportedSdkVersionError);
    assert.throws(
      () => checkSdkVersion("2.50.0"),
      /2\.50\.0 is installed.*npm install --save-exact apache-beam@2\.49\.0/,
    );
  });

  it("is looked at before the SDK is loaded", () => {
    // Another version, as the library sees it: its version module says so, and the rest cannot be loaded.
    const script = `
      const Module = require("node:module");
      const load = Module._load;
      Module._load = (request, ...rest) => {
        if (request === "apache-beam/version") return { version: "2.61.0" };
        if (request.startsWith("apache-beam")) throw new Error("the SDK was loaded");
        return load(request, ...rest);
      };
      require(${JSON.stringify(require.resolve("./sdk"))});`;
    const { status, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    assert.equal(status, 1);
    assert.match(stderr, /UnsupportedSdkVersionError: apache-beam 2\.61\.0 is installed/);
  });
});
