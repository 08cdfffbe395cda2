import { sendWithJava } from "../segment/testing/javaLibrary";
import { useLibraryRig } from "../segment/testing/rig";
import { printFigures } from "./faultReport";

describe("Segment's Java library through nginx", function () {
  this.timeout(600_000);
  const rig = useLibraryRig();

  it("com.segment.analytics.java sends 1,000 calls with its own retries after 503, and each is one event with its ids, time and name", async () => {
    const startedAt = performance.now();
    await rig.assertExact({ name: "java", send: sendWithJava, platform: "server" });
    printFigures(`1,000 calls in ${Math.round((performance.now() - startedAt) / 1000)} s`);
  });
});
