import assert from "node:assert/strict";
import { differences, runUpstreamTests } from "./suite";

describe("Upstream's own tests, patched, on the direct runner", function () {
  this.timeout(120_000);

  it("all of the SDK's own tests pass with the patches but those in the table of exceptions", async () => {
    const place = "direct runner";
    const result = await runUpstreamTests({
      place,
      setUp: require.resolve("./directSetUp"),
      timeoutMs: 60_000,
      files: ["*", "docs/*"],
    });
    assert.deepEqual(differences(result, place), []);
    assert.equal(result.passes.length, 286);
  });
});
