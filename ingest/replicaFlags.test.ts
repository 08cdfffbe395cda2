import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { REPLICA_FLAGS } from "@eventlogger/options/replicaFlags";

describe("the flags of Node for a replica", () => {
  it("the image of ingest sets the same flags as the one-machine stack and the benchmarks", () => {
    const dockerfile = readFileSync(join(packageRootOf(__filename), "Dockerfile"), "utf8");
    const [, entryPoint = "[]"] = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile) ?? [];
    const command = JSON.parse(entryPoint) as string[];
    assert.deepEqual(command.slice(1, -1), REPLICA_FLAGS);
  });

  it("Node accepts the flags", () => {
    const { status, stderr } = spawnSync(process.execPath, [...REPLICA_FLAGS, "-e", ""], { encoding: "utf8" });
    assert.deepEqual([status, stderr], [0, ""]);
  });
});
