import "../sdk";
import assert from "node:assert/strict";
import protobufjs = require("protobufjs");
import { asDockerEnvironment, asExternalEnvironment } from "apache-beam/internal/environments";
import { Components, Environment, Pipeline } from "apache-beam/proto/beam_runner_api";
import { useExternalAlternatives } from "./environments";

/** What an expansion service answers that leaves a choice. */
function anyOf(...alternatives: Environment[]): Environment {
  const payload = new protobufjs.Writer();
  for (const alternative of alternatives) payload.uint32(10).bytes(Environment.toBinary(alternative));
  const urn = "beam:env:anyof:v1";
  return Environment.create({ urn, payload: payload.finish(), capabilities: ["beam:coder:row:v1"] });
}

const dependency = { typeUrn: "beam:artifact:type:file:v1", roleUrn: "beam:artifact:role:staging_to:v1" };
const java = Environment.create({ dependencies: [dependency] });
const docker = Environment.create(asDockerEnvironment(java, "beam_java17_sdk:2.73.0"));
const external = Environment.create(asExternalEnvironment(java, "localhost:1234"));

function choose(environment: Environment): Environment | undefined {
  const pipeline = Pipeline.create({ components: Components.create({ environments: { it: environment } }) });
  useExternalAlternatives(pipeline);
  return pipeline.components?.environments["it"];
}

describe("Environments of an expansion service", () => {
  it("are the worker that runs already, with what all of them can do, and without files to stage", () => {
    assert.deepEqual(choose(anyOf(docker, external)), {
      ...external,
      capabilities: ["beam:coder:row:v1"],
      dependencies: [],
    });
  });

  it("stay as they are where there is no choice", () => {
    assert.deepEqual(choose(docker), docker);
  });

  it("are told when no worker runs", () => {
    assert.throws(() => choose(anyOf(docker)), /only the environments beam:env:docker:v1, no worker that runs already/);
  });
});
