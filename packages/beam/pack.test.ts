import assert from "node:assert/strict";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { comparePackedFiles } from "@eventlogger/process/testing/packedFiles";

/** Files beside the compiled modules that applications need. */
const FILES = [
  "CHANGELOG.md",
  "LICENSE",
  "NOTICE",
  "README.md",
  "boot/go.mod",
  "boot/go.sum",
  "docs/coders.md",
  "docs/parity.md",
  "expansion/java/beam/typescript/LocalExpansionService.java",
  "expansion/logging.properties",
  "expansion/pom.xml",
  "flink/java/beam/typescript/CancelInterruptedJobs.java",
  "flink/java/beam/typescript/RocksDbBackendFactory.java",
  "flink/java/org/apache/beam/runners/flink/translation/functions/FlinkExecutableStageContextFactory.java",
  "flink/java/org/apache/beam/runners/fnexecution/control/BundleCheckpointHandlers.java",
  "flink/java/org/apache/beam/runners/fnexecution/control/FnApiControlClient.java",
  "flink/java/org/apache/beam/runners/fnexecution/control/MapControlClientPool.java",
  "flink/java/org/apache/beam/runners/fnexecution/data/GrpcDataService.java",
  "flink/java/org/apache/beam/runners/fnexecution/environment/ExternalEnvironmentFactory.java",
  "flink/java/org/apache/beam/runners/fnexecution/state/GrpcStateService.java",
  "flink/java/org/apache/beam/sdk/fn/server/ServerFactory.java",
  "flink/pom.xml",
  "package.json",
  "worker/npx",
];

describe("npm pack of the Beam package", () => {
  it("npm pack holds every compiled module, the Java sources, the worker's files and the licence, and no test", () => {
    const shipped = (source: string): boolean => !/\.(test|scenario)\.ts$|(^|\/)testing\//.test(source);
    assert.deepEqual(comparePackedFiles(packageRootOf(__filename), shipped), {
      missing: [],
      notShipped: [],
      others: FILES,
    });
  });
});
