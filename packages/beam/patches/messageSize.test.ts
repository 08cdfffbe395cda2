import assert from "node:assert/strict";
import { withoutPatch } from "../testing/scenario";
import { scenarios } from "./messageSize.scenario";

describe("Repair of the message size", function () {
  this.timeout(20_000);

  it("takes messages over 4 MB", async () => {
    assert.deepEqual(await scenarios.largeMessage(), { error: "", lengths: [5_000_000] });
    // The data channel is mended, so that the bundle fails; without that repair too, it hangs.
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
