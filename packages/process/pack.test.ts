import assert from "node:assert/strict";
import { packageRootOf } from "./packageRoot";
import { comparePackedFiles } from "./testing/packedFiles";

describe("npm pack of the process package", () => {
  it("npm pack holds every compiled module, and no test", () => {
    const shipped = (source: string): boolean => !/\.test\.ts$|(^|\/)testing\//.test(source);
    assert.deepEqual(comparePackedFiles(packageRootOf(__filename), shipped), {
      missing: [],
      notShipped: [],
      others: ["LICENSE", "README.md", "package.json"],
    });
  });
});
