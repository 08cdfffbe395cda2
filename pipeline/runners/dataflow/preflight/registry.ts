import { isGoogleRegistry, type ImageReference } from "./imageReference";

/** A registry answered with an error, or with something that is no image. */
export class RegistryError extends Error {
  constructor(
    message: string,
    /** HTTP status, where there was one. */
    readonly status?: number,
  ) {
    super(message);
    this.name = "RegistryError";
  }
}

/** An operating system and a processor, as image indexes name them. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
}

/** The configuration of an image for one platform. */
export interface ImageConfig extends Platform {
  readonly labels: Readonly<Record<string, string>>;
}

/** What is found under the name of an image: its configuration, or, in an index, the platforms that there are. */
export type FoundImage =
  | { readonly config: ImageConfig }
  | { readonly platforms: readonly Platform[] }
  /** There is no image of this name. */
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

/** `realm`, `service` and `scope` of a `WWW-Authenticate: Bearer` header. */
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

/**
 * Reads images over the API that all registries have (https://distribution.github.io/distribution/spec/api/).
 */
export class Registry {
  private authorization: string | undefined;

  /**
   * @param googleToken an access token for Google's own registries; others are asked without a name, as is everything
   *   when it gives none
   */
  constructor(
    private readonly image: ImageReference,
    private readonly googleToken: () => Promise<string | undefined>,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * The image for a platform.
   * @throws RegistryError when it cannot be read, and the error of `fetch` when the registry cannot be reached
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
      // Builders put statements about a build beside the images, for a platform that is called unknown.
      if (!entry) return { platforms: platforms.filter(({ os }) => os !== "unknown") };
      manifest = await this.manifest(entry.digest);
    }
    if (!manifest?.config) throw new RegistryError("the registry has a manifest that is none of an image");
    const response = await this.get(`blobs/${manifest.config.digest}`, []);
    if (!response.ok) throw new RegistryError(`the image's configuration: HTTP ${response.status}`, response.status);
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
      // Blobs are often elsewhere: on the way to another host, fetch takes the authorization off.
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
