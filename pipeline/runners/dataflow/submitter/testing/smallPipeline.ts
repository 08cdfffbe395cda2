import "@eventlogger/beam/sdk";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { impulse } from "apache-beam";
import { asDockerEnvironment } from "apache-beam/internal/environments";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { buildPipeline } from "@eventlogger/beam";

/** An encoded streaming pipeline of one step with one artifact of 2 MB. Writes the artifact to `file`. */
export async function smallPipeline(file: string, image: string): Promise<Uint8Array> {
  const content = Buffer.alloc(2_000_000, "x");
  writeFileSync(file, content);
  const pipeline = await buildPipeline((root) => root.apply(impulse()));
  const { environments, pcollections } = pipeline.components as runnerApi.Components;
  for (const collection of Object.values(pcollections)) collection.isBounded = runnerApi.IsBounded_Enum.UNBOUNDED;
  for (const [id, environment] of Object.entries(environments)) {
    environments[id] = {
      ...asDockerEnvironment(environment, image),
      dependencies: [
        {
          typeUrn: "beam:artifact:type:file:v1",
          typePayload: runnerApi.ArtifactFilePayload.toBinary({
            path: file,
            sha256: createHash("sha256").update(content).digest("hex"),
          }),
          roleUrn: "beam:artifact:role:staging_to:v1",
          rolePayload: runnerApi.ArtifactStagingToRolePayload.toBinary({ stagedName: "worker.jar" }),
        },
      ],
    };
  }
  return runnerApi.Pipeline.toBinary(pipeline);
}
