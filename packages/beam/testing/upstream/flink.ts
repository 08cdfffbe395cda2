/**
 * Upstream's tests on Flink: `npm run test:upstream -w packages/beam`. They are not a part of `npm test`, because each of their
 * many small jobs starts a worker.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { ensureFlinkClasspath } from "../../flink/classpath";
import { differences, runUpstreamTests } from "./suite";

describe("Upstream's own tests, patched, on Flink", function () {
  this.timeout(900_000);

  it("all of the SDK's own tests with a runner pass on Flink but those in the table of exceptions", async () => {
    const place = "Flink";
    const logs = mkdtempSync(path.join(tmpdir(), "beam-upstream-flink-"));
    try {
      const result = await runUpstreamTests({
        place,
        setUp: require.resolve("./flinkSetUp"),
        // Upstream runs the tests of a portable runner only when this is set.
        env: {
          UPSTREAM_CLASSPATH: await ensureFlinkClasspath({ cacheDir }),
          UPSTREAM_LOGS: logs,
          BEAM_SERVICE_OVERRIDES: "{}",
        },
        timeoutMs: 60_000,
        files: ["combine_test", "io_test", "primitives_test", "wordcount", "docs/programming_guide"],
      });
      const found = differences(result, place);
      const log = readFileSync(path.join(logs, "workers.log"), "utf8").slice(-3000);
      assert.deepEqual(found, [], `The end of the log of the workers:\n${log}`);
      assert(result.passes.length > 30, `only ${result.passes.length} tests passed`);
    } finally {
      rmSync(logs, { recursive: true, force: true });
    }
  });
});
