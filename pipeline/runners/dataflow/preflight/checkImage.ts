import { NOTHING_FOUND, type Findings } from "@eventlogger/gcp/diagnostics";
import { parseImageReference } from "./imageReference";
import { Registry, type Platform } from "./registry";

/** The label by which an image says that it holds this package, and its version. */
export const WORKER_LABEL = "org.eventlogger.worker";

export interface ImageCheck {
  /** Such as `europe-docker.pkg.dev/my-project/images/worker:0.1.0`. */
  readonly image: string;
  /** Version of this package; jobs of one version run on images of that version. */
  readonly version: string;
  /** Compute Engine machine type of the workers; some are ARM. */
  readonly machineType?: string | undefined;
}

/** Machine families with ARM processors (https://cloud.google.com/compute/docs/instances/arm-on-compute). */
const ARM = /^(t2a|c4a|n4a|a4x)-/;

const problem = (text: string): Findings => ({ problems: [text], warnings: [] });
const platformName = ({ os, architecture }: Platform): string => `${os}/${architecture}`;

/**
 * Whether the registry has the image, for the machines of the workers, with this release in it.
 * @param googleToken an access token for Google's registries, if there is one
 * @throws RegistryError or an error of `fetch` when the registry does not tell: then nothing is known
 */
export async function checkImage(
  { image, version, machineType = "" }: ImageCheck,
  googleToken: () => Promise<string | undefined>,
  signal: AbortSignal,
): Promise<Findings> {
  const reference = parseImageReference(image);
  if (!reference) return problem(`${JSON.stringify(image)} is no name of a container image (--image)`);
  const wanted = { os: "linux", architecture: ARM.test(machineType) ? "arm64" : "amd64" };
  const found = await new Registry(reference, googleToken, signal).find(wanted);
  const build = "Build it with `npm run images`, and push it";
  if (!found) return problem(`There is no image ${image} in its registry. ${build}`);
  if ("platforms" in found) {
    const there = found.platforms.map(platformName).join(", ") || "no platform";
    return problem(`Image ${image} is for ${there}, but the workers are ${platformName(wanted)}`);
  }
  const { config } = found;
  if (config.os !== wanted.os || config.architecture !== wanted.architecture) {
    return problem(`Image ${image} is for ${platformName(config)}, but the workers are ${platformName(wanted)}`);
  }
  const holds = config.labels[WORKER_LABEL];
  if (holds === undefined) {
    return problem(
      `Image ${image} does not hold this package (it lacks the label ${WORKER_LABEL}): workers could not start. ${build}`,
    );
  }
  if (holds !== version) {
    return problem(`Image ${image} holds version ${holds}, but this is version ${version}. ${build}`);
  }
  return NOTHING_FOUND;
}
