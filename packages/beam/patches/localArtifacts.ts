import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { ChannelCredentials } from "@grpc/grpc-js";
import { GrpcTransport } from "@protobuf-ts/grpc-transport";
import { ArtifactRetrievalServiceClient } from "apache-beam/proto/beam_artifact_api.client";
import { ArtifactFilePayload, type ArtifactInformation } from "apache-beam/proto/beam_runner_api";

const FILE_URN = "beam:artifact:type:file:v1";

const hashes = new Map<string, Promise<string>>();

/** SHA-256 of a file, in hex; computed once in this process. */
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

/** The artifact with its hash where it is a file of this machine. */
async function localFile(artifact: ArtifactInformation): Promise<ArtifactInformation | undefined> {
  if (artifact.typeUrn !== FILE_URN) return undefined;
  const { path, sha256 } = ArtifactFilePayload.fromBinary(artifact.typePayload);
  if (!existsSync(path)) return undefined;
  const found = await hashOf(path);
  if (sha256 !== "" && sha256 !== found) return undefined;
  return { ...artifact, typePayload: ArtifactFilePayload.toBinary({ path, sha256: found }) };
}

/**
 * What an expansion service means by the artifacts it named, as files of this machine with their hashes.
 *
 * @param address `host:port` of the service
 * @returns undefined when the service is elsewhere, or names something else than files of this machine
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
