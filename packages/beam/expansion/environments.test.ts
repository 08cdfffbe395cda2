import "../sdk";
import assert from "node:assert/strict";
import protobufjs from "protobufjs";
import { asDockerEnvironment, asExternalEnvironment } from "apache-beam/internal/environments";
import { Components, Environment, Pipeline } from "apache-beam/proto/beam_runner_api";
import { useExternalAlternatives } from "./environments";

/** An environment with alternatives, as an expansion service returns it. */
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
  it("alternatives resolve to the running worker, with their common capabilities and without files to stage", () => {
    assert.deepEqual(choose(anyOf(docker, external)), {
      ...external,
      capabilities: ["beam:coder:row:v1"],
      dependencies: [],
    });
  });

  it("an environment without alternatives stays as it is", () => {
    assert.deepEqual(choose(docker), docker);
  });

  it("the error for alternatives without a running worker names them", () => {
    assert.throws(
      () => choose(anyOf(docker)),
      /only the environments beam:env:docker:v1, and no running worker\. Start it with loopbackWorker/,
    );
  });
});
