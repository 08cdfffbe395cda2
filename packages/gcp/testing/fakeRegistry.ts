import { createHash } from "node:crypto";
import type { FakeAnswer, FakeRequest, FakeService } from "./fakeServer";

interface Blob {
  readonly type: string;
  readonly data: Buffer;
}

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";

/** An image for one platform. */
export interface FakeImage {
  /** @default amd64 */
  readonly architecture?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A container registry that serves manifests and configurations of images. */
export class FakeRegistry {
  /** By `repository/digest`, and manifests also by `repository/tag`. */
  private readonly content = new Map<string, Blob>();
  /** If set, requests without the token get a challenge for `/token`, as from Docker Hub. */
  token: string | undefined;
  /** URL of another server that blobs are redirected to. */
  blobsAt: string | undefined;

  private put(repository: string, type: string, value: unknown): string {
    const data = Buffer.from(JSON.stringify(value));
    const digest = `sha256:${createHash("sha256").update(data).digest("hex")}`;
    this.content.set(`${repository}/${digest}`, { type, data });
    return digest;
  }

  private manifestOf(repository: string, { architecture = "amd64", labels }: FakeImage): string {
    const config = { architecture, os: "linux", config: { ...(labels && { Labels: labels }) } };
    const digest = this.put(repository, OCI_CONFIG, config);
    return this.put(repository, OCI_MANIFEST, {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest },
      layers: [],
    });
  }

  private tag(repository: string, tag: string, digest: string): string {
    this.content.set(`${repository}/${tag}`, this.content.get(`${repository}/${digest}`) as Blob);
    return digest;
  }

  /** Adds an image for one platform. @returns its digest */
  add(repository: string, tag: string, image: FakeImage): string {
    return this.tag(repository, tag, this.manifestOf(repository, image));
  }

  /** Adds an index of images with an attestation, as builders add it. @returns its digest */
  addIndex(repository: string, tag: string, images: readonly FakeImage[]): string {
    const manifests = images.map((image) => ({
      mediaType: OCI_MANIFEST,
      digest: this.manifestOf(repository, image),
      platform: { os: "linux", architecture: image.architecture ?? "amd64" },
    }));
    const attestation = this.put(repository, OCI_MANIFEST, { schemaVersion: 2, layers: [] });
    const unknown = { digest: attestation, platform: { os: "unknown", architecture: "unknown" } };
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...manifests, unknown] };
    return this.tag(repository, tag, this.put(repository, OCI_INDEX, index));
  }

  readonly service: FakeService = (request) => {
    if (request.path === "/token") return { status: 200, body: { token: this.token } };
    const match = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(request.path);
    if (!match) return undefined;
    const [, repository = "", kind, version = ""] = match;
    return this.challenge(request, repository) ?? this.find(repository, kind === "blobs", version, request);
  };

  private challenge({ headers }: FakeRequest, repository: string): FakeAnswer | undefined {
    if (this.token === undefined || headers.authorization === `Bearer ${this.token}`) return undefined;
    const header = `Bearer realm="http://${headers.host}/token",service="fake",scope="repository:${repository}:pull"`;
    return { status: 401, headers: { "www-authenticate": header }, body: { errors: [{ code: "UNAUTHORIZED" }] } };
  }

  private find(repository: string, isBlob: boolean, version: string, { headers, path }: FakeRequest): FakeAnswer {
    const found = this.content.get(`${repository}/${version}`);
    if (!found) return { status: 404, body: { errors: [{ code: isBlob ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN" }] } };
    if (isBlob && this.blobsAt !== undefined) return { status: 307, headers: { location: this.blobsAt + path } };
    if (!isBlob && !headers.accept?.includes(found.type)) {
      return { status: 406, body: { errors: [{ code: "MANIFEST_UNKNOWN", message: `it is ${found.type}` }] } };
    }
    return { status: 200, headers: { "content-type": found.type }, body: found.data };
  }
}
