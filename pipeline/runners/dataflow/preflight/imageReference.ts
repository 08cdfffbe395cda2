/** A parsed image name, with the rules of `docker pull`. */
export interface ImageReference {
  /** URL of the registry's API: `https://europe-docker.pkg.dev`. */
  readonly registry: string;
  /** Such as `my-project/images/worker`. */
  readonly repository: string;
  /** A tag, or a digest such as `sha256:…`. */
  readonly version: string;
}

const DOCKER_HUB = "registry-1.docker.io";

/**
 * Parses the name of an image by Docker's rules: the default registry is Docker Hub, the default tag is `latest`, and
 * registries on localhost use no TLS. Undefined when the name is not valid.
 */
export function parseImageReference(name: string): ImageReference | undefined {
  const match =
    /^(?:(localhost(?::\d+)?|[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+(?::\d+)?|[a-zA-Z0-9-]+:\d+)\/)?([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::(\w[\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(
      name,
    );
  if (!match) return undefined;
  const [, host, path = "", tag = "latest", digest] = match;
  const onHub = host === undefined || host === "docker.io" || host === "index.docker.io";
  const registry = onHub ? DOCKER_HUB : host;
  const local = /^(localhost|127\.0\.0\.1)(:|$)/.test(registry);
  return {
    registry: `${local ? "http" : "https"}://${registry}`,
    repository: onHub && !path.includes("/") ? `library/${path}` : path,
    version: digest ?? tag,
  };
}

/** Whether an image is in a registry of Google: Artifact Registry or Container Registry. */
export function isGoogleRegistry({ registry }: ImageReference): boolean {
  return /^https:\/\/([a-z0-9-]+-docker\.pkg\.dev|([a-z0-9-]+\.)?gcr\.io)$/.test(registry);
}
