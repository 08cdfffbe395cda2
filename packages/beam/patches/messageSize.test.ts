import assert from "node:assert/strict";
import { withoutPatch } from "../testing/scenario";
import { scenarios } from "./messageSize.scenario";

describe("Patch of the message size", () => {
  it("a patched worker accepts messages over 4 MB", async () => {
    assert.deepEqual(await scenarios.largeMessage(), { error: "", lengths: [5_000_000] });
    // With the patch of the data channel the bundle fails; without both patches it hangs.
    const file = require.resolve("./messageSize.scenario");
    const [{ largeMessage }, both] = await Promise.all([
      withoutPatch("messageSize", file, ["largeMessage"]),
      withoutPatch("messageSize,dataChannel", file, ["largeMessage"]),
    ]);
    assert(largeMessage?.ended === "value", JSON.stringify(largeMessage));
    assert.match((largeMessage.value as { error: string }).error, /RESOURCE_EXHAUSTED/);
    assert.equal(both["largeMessage"]?.ended, "hang");
  });
});
