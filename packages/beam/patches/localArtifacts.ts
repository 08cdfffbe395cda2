import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { ChannelCredentials } from "@grpc/grpc-js";
import { GrpcTransport } from "@protobuf-ts/grpc-transport";
import { ArtifactRetrievalServiceClient } from "apache-beam/proto/beam_artifact_api.client";
import { ArtifactFilePayload, type ArtifactInformation } from "apache-beam/proto/beam_runner_api";

const FILE_URN = "beam:artifact:type:file:v1";

const hashes = new Map<string, Promise<string>>();

/** SHA-256 of a file, hex; computed once per process. */
function hashOf(file: string): Promise<string> {
  let hash = hashes.get(file);
  if (!hash) {
    hash = (async () => {
      const hasher = createHash("sha256");
      for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hasher.update(chunk as Buffer);
      return hasher.digest("hex");
    })();
    hashes.set(file, hash);
  }
  return hash;
}

/** The artifact with its hash; undefined when it is not a local file. */
async function localFile(artifact: ArtifactInformation): Promise<ArtifactInformation | undefined> {
  if (artifact.typeUrn !== FILE_URN) return undefined;
  const { path, sha256 } = ArtifactFilePayload.fromBinary(artifact.typePayload);
  if (!existsSync(path)) return undefined;
  const found = await hashOf(path);
  if (sha256 !== "" && sha256 !== found) return undefined;
  return { ...artifact, typePayload: ArtifactFilePayload.toBinary({ path, sha256: found }) };
}

/**
 * Resolves the artifacts of an expansion service to local files with their hashes.
 *
 * @param address `host:port` of the service
 * @returns undefined when the service runs on another machine, or when an artifact is not a local file
 */
export async function localArtifacts(
  artifacts: ArtifactInformation[],
  address: string,
): Promise<ArtifactInformation[] | undefined> {
  if (!/^(localhost|127\.0\.0\.1|\[::1\]):/.test(address)) return undefined;
  const transport = new GrpcTransport({ host: address, channelCredentials: ChannelCredentials.createInsecure() });
  try {
    const client = new ArtifactRetrievalServiceClient(transport);
    const { replacements } = await client.resolveArtifacts({ artifacts, preferredUrns: [FILE_URN] }).response;
    const files = await Promise.all(replacements.map(localFile));
    const found = files.filter((file) => file !== undefined);
    return found.length === files.length ? found : undefined;
  } finally {
    transport.close();
  }
}
