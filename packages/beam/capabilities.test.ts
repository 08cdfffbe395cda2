import assert from "node:assert/strict";
import "./sdk";
import { impulse } from "apache-beam";
import { globalRegistry } from "apache-beam/coders/coders";
import { buildPipeline, replaceDefaultEnvironment } from "./index";
import { workerCapabilities } from "./capabilities";

describe("Capabilities of the workers", () => {
  it("the environment of a pipeline declares what the workers can do", async () => {
    const pipeline = await buildPipeline((root) => root.apply(impulse()));
    const declared: string[] = [];
    replaceDefaultEnvironment(pipeline, (environment) => {
      declared.push(...environment.capabilities);
      return environment;
    });
    assert.deepEqual(declared, workerCapabilities());
    for (const capability of [
      "beam:protocol:harness_monitoring_infos:v1",
      "beam:protocol:monitoring_info_short_ids:v1",
      "beam:protocol:progress_reporting:v1",
      "beam:protocol:sibling_workers:v1",
      "beam:protocol:state_caching:v1",
      "beam:transform:sdf_truncate_sized_restrictions:v1",
      "beam:version:sdk_base:apache/beam_typescript_sdk:2.49.0",
      "beam:coder:bytes:v1",
      "beam:coder:interval_window:v1",
      "beam:coder:row:v1",
    ]) {
      assert(declared.includes(capability), capability);
    }
  });

  it("a coder that is registered is declared, unless only this SDK knows it", () => {
    const before = workerCapabilities();
    const { internal_registry: coders } = globalRegistry() as unknown as { internal_registry: Record<string, unknown> };
    globalRegistry().registerConstructor("beam:coder:new:v1", () => ({}) as never);
    globalRegistry().registerConstructor("beam:coder:newjs:v1", () => ({}) as never);
    try {
      const added = workerCapabilities().filter((capability) => !before.includes(capability));
      assert.deepEqual(added, ["beam:coder:new:v1"]);
    } finally {
      delete coders["beam:coder:new:v1"];
      delete coders["beam:coder:newjs:v1"];
    }
  });
});
