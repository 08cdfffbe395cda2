import assert from "node:assert/strict";
import { neededPackages } from "./packages";

const lock = {
  packages: {
    "": {},
    "node_modules/a": { dependencies: { b: "1", c: "1" } },
    "node_modules/a/node_modules/b": { dependencies: { c: "1", d: "1" } },
    "node_modules/b": {},
    "node_modules/c": { peerDependencies: { p: "1", q: "1" }, peerDependenciesMeta: { q: { optional: true } } },
    "node_modules/d": { optionalDependencies: { b: "1", absent: "1" } },
    "node_modules/p": {},
    "node_modules/q": {},
    "node_modules/apache-beam": { dependencies: { c: "1", chai: "1", ttypescript: "1" } },
    "node_modules/chai": {},
    "node_modules/ttypescript": { peerDependencies: { typescript: "1" } },
    "node_modules/typescript": {},
    "node_modules/lacking": { dependencies: { absent: "1" } },
  },
};

describe("neededPackages", () => {
  it("neededPackages resolves as Node does: the nearest copy, peers, and installed optional packages", () => {
    assert.deepEqual(neededPackages(lock, ["a"]), [
      "node_modules/a",
      "node_modules/a/node_modules/b",
      "node_modules/b", // for d, which cannot resolve the copy inside a
      "node_modules/c",
      "node_modules/d",
      "node_modules/p",
    ]);
  });

  it("neededPackages omits packages that only the build and the tests of the SDK need", () => {
    assert.deepEqual(neededPackages(lock, ["apache-beam"]), [
      "node_modules/apache-beam",
      "node_modules/c",
      "node_modules/p",
    ]);
  });

  it("neededPackages refuses packages that are not in the lock file", () => {
    assert.throws(() => neededPackages(lock, ["lacking"]), /node_modules\/lacking needs the package absent/);
    assert.throws(() => neededPackages(lock, ["x"]), /The project needs the package x/);
  });
});
