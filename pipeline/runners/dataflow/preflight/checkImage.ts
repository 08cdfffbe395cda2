import { NO_DIAGNOSTICS, problem, type Diagnostics } from "@eventlogger/gcp/diagnostics";
import { parseImageReference } from "./imageReference";
import { Registry, type Platform } from "./registry";

/** Label of an image that contains this package; its value is the version. */
export const WORKER_LABEL = "org.eventlogger.worker";

export interface ImageCheck {
  /** Such as `europe-docker.pkg.dev/my-project/images/worker:0.1.0`. */
  readonly image: string;
  /** Version of this package; a job needs an image of the same version. */
  readonly version: string;
  /** Compute Engine machine type of the workers; it determines the processor architecture. */
  readonly machineType?: string | undefined;
}

/** Machine families with ARM processors (https://cloud.google.com/compute/docs/instances/arm-on-compute). */
const ARM = /^(t2a|c4a|n4a|a4x)-/;

const platformName = ({ os, architecture }: Platform): string => `${os}/${architecture}`;

/**
 * Checks that the registry has the image for the platform of the workers and that it contains this release.
 * @param googleToken returns an access token for Google's registries, or undefined
 * @throws RegistryError or an error of `fetch`: then the check has no result
 */
export async function checkImage(
  { image, version, machineType = "" }: ImageCheck,
  googleToken: () => Promise<string | undefined>,
  signal: AbortSignal,
): Promise<Diagnostics> {
  const reference = parseImageReference(image);
  if (!reference) return problem(`${JSON.stringify(image)} is not a valid name of a container image (--image)`);
  const wanted = { os: "linux", architecture: ARM.test(machineType) ? "arm64" : "amd64" };
  const found = await new Registry(reference, googleToken, signal).find(wanted);
  const build = "Build it with `npm run images` and push it";
  if (!found) return problem(`Image ${image} does not exist in its registry. ${build}`);
  if ("platforms" in found) {
    const available = found.platforms.map(platformName).join(", ") || "no platform";
    return problem(`Image ${image} is for ${available}, but the workers are ${platformName(wanted)}`);
  }
  const { config } = found;
  if (config.os !== wanted.os || config.architecture !== wanted.architecture) {
    return problem(`Image ${image} is for ${platformName(config)}, but the workers are ${platformName(wanted)}`);
  }
  const imageVersion = config.labels[WORKER_LABEL];
  if (imageVersion === undefined) {
    return problem(
      `Image ${image} does not contain this package (label ${WORKER_LABEL} is missing), so that workers cannot start. ${build}`,
    );
  }
  if (imageVersion !== version) {
    return problem(`Image ${image} contains version ${imageVersion}, but this is version ${version}. ${build}`);
  }
  return NO_DIAGNOSTICS;
}
