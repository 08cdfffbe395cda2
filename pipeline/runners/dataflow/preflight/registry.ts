import { isGoogleRegistry, type ImageReference } from "./imageReference";

/** A registry responded with an error, or with something that is not an image. */
export class RegistryError extends Error {
  constructor(
    message: string,
    /** HTTP status of the response, if it was an error. */
    readonly status?: number,
  ) {
    super(message);
    this.name = "RegistryError";
  }
}

/** Operating system and processor architecture, with the names of image indexes. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
}

/** The configuration of an image for one platform. */
export interface ImageConfig extends Platform {
  readonly labels: Readonly<Record<string, string>>;
}

/** The result of a look-up: the configuration, or the available platforms if an index lacks the requested one. */
export type FoundImage =
  | { readonly config: ImageConfig }
  | { readonly platforms: readonly Platform[] }
  /** The image does not exist. */
  | undefined;

const INDEXES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
const MANIFESTS = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];

interface Descriptor {
  readonly digest: string;
  readonly platform?: Platform;
}

interface Manifest {
  readonly mediaType?: string;
  readonly config?: Descriptor;
  readonly manifests?: readonly Descriptor[];
}

interface ConfigBlob extends Platform {
  readonly config?: { readonly Labels?: Readonly<Record<string, string>> | null };
}

/** The URL of the token service, from `realm`, `service` and `scope` of a `WWW-Authenticate: Bearer` header. */
function challengeOf(header: string | null): URL | undefined {
  if (!header || !/^bearer /i.test(header)) return undefined;
  const fields = new Map([...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value ?? ""]));
  const realm = fields.get("realm");
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  const url = new URL(realm);
  for (const key of ["service", "scope"]) {
    const value = fields.get(key);
    if (value !== undefined) url.searchParams.set(key, value);
  }
  return url;
}

/** Client of the registry API (https://distribution.github.io/distribution/spec/api/), for one image. */
export class Registry {
  private authorization: string | undefined;

  /**
   * @param googleToken returns an access token for Google's registries. Other registries are used anonymously, and all are
   *   when it returns undefined
   */
  constructor(
    private readonly image: ImageReference,
    private readonly googleToken: () => Promise<string | undefined>,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * Looks up the image for a platform.
   * @throws RegistryError when it cannot be read; the error of `fetch` when the registry cannot be reached
   */
  async find(wanted: Platform): Promise<FoundImage> {
    if (isGoogleRegistry(this.image)) {
      const token = await this.googleToken();
      if (token !== undefined) this.authorization = `Bearer ${token}`;
    }
    let manifest = await this.manifest(this.image.version);
    if (!manifest) return undefined;
    if (manifest.manifests) {
      const platforms = manifest.manifests.flatMap(({ platform }) => (platform ? [platform] : []));
      const entry = manifest.manifests.find(
        ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
      );
      // Builders add attestations for a platform named "unknown".
      if (!entry) return { platforms: platforms.filter(({ os }) => os !== "unknown") };
      manifest = await this.manifest(entry.digest);
    }
    if (!manifest?.config) throw new RegistryError("the manifest is not the manifest of an image");
    const response = await this.get(`blobs/${manifest.config.digest}`, []);
    if (!response.ok)
      throw new RegistryError(`reading the image configuration: HTTP ${response.status}`, response.status);
    const { os, architecture, config } = (await response.json()) as ConfigBlob;
    return { config: { os, architecture, labels: config?.Labels ?? {} } };
  }

  private async manifest(version: string): Promise<Manifest | undefined> {
    const response = await this.get(`manifests/${version}`, [...INDEXES, ...MANIFESTS]);
    if (response.status === 404) return undefined;
    if (!response.ok) throw new RegistryError(`HTTP ${response.status}`, response.status);
    return (await response.json()) as Manifest;
  }

  private async get(path: string, accept: readonly string[]): Promise<Response> {
    const { registry, repository } = this.image;
    const url = `${registry}/v2/${repository}/${path}`;
    const request = (): Promise<Response> => {
      const headers = new Headers(accept.map((type) => ["accept", type] as [string, string]));
      if (this.authorization !== undefined) headers.set("authorization", this.authorization);
      // Blobs are often redirected to another host; fetch then removes the authorization header.
      return fetch(url, { headers, signal: this.signal });
    };
    const response = await request();
    if (response.status !== 401 || this.authorization !== undefined) return response;
    const challenge = challengeOf(response.headers.get("www-authenticate"));
    if (!challenge) return response;
    const answer = await fetch(challenge, { signal: this.signal });
    if (!answer.ok) return response;
    const { token, access_token } = (await answer.json()) as { token?: string; access_token?: string };
    const bearer = token ?? access_token;
    if (bearer === undefined) return response;
    this.authorization = `Bearer ${bearer}`;
    return request();
  }
}
