import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { IMAGE_NAMES, type ImageName } from "./assemble";
import { docker, type DockerOptions } from "./docker";

/** Relative to the root of the repository. */
export const DOCKERFILES: Readonly<Record<ImageName, string>> = {
  worker: "pipeline/Dockerfile",
  pipeline: "pipeline/cli/Dockerfile",
  ingest: "ingest/Dockerfile",
  nginx: "nginx/Dockerfile",
};

export interface BuildOptions {
  /** Prefix of the names, such as `europe-docker.pkg.dev/project/repository`. */
  readonly repository?: string | undefined;
  readonly tag: string;
  /** Such as `linux/amd64`. */
  readonly platform?: string | undefined;
  readonly nodeImage?: string | undefined;
  readonly goImage?: string | undefined;
  readonly npmRegistry?: string | undefined;
  readonly goProxy?: string | undefined;
  readonly goSumdb?: string | undefined;
  /** Options of the docker command, such as the engine to use. */
  readonly docker?: DockerOptions;
  /** Gets a line for each step of a build. */
  readonly onProgress?: (image: ImageName, line: string) => void;
}

export const packageVersion = (
  JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as { version: string }
).version;

/** `repository/eventlogger-worker:tag`. */
export function imageReference(
  image: ImageName,
  { repository, tag }: Pick<BuildOptions, "repository" | "tag">,
): string {
  return `${repository ? `${repository.replace(/\/+$/, "")}/` : ""}eventlogger-${image}:${tag}`;
}

/** Matches the lines of a build that show its progress, of the old builder and of BuildKit. */
export const BUILD_STEP = /^(Step \d+\/\d+|#\d+ \[)/;

function buildArguments(options: BuildOptions): string[] {
  const values: Readonly<Record<string, string | undefined>> = {
    VERSION: packageVersion,
    NODE_IMAGE: options.nodeImage,
    GO_IMAGE: options.goImage,
    NPM_REGISTRY: options.npmRegistry,
    GOPROXY: options.goProxy,
    GOSUMDB: options.goSumdb,
  };
  return Object.entries(values).flatMap(([name, value]) => (value ? ["--build-arg", `${name}=${value}`] : []));
}

/**
 * Builds an image.
 * @returns its reference, such as `eventlogger-worker:0.1.0`
 * @throws NoEngineError; DockerError with the end of the output of the build
 */
export async function buildImage(image: ImageName, options: BuildOptions): Promise<string> {
  const reference = imageReference(image, options);
  const onLine = (line: string): void => {
    if (BUILD_STEP.test(line)) options.onProgress?.(image, line);
  };
  await docker(
    [
      "build",
      ...["--file", DOCKERFILES[image], "--tag", reference],
      ...(options.platform ? ["--platform", options.platform] : []),
      ...buildArguments(options),
      ".",
    ],
    { ...options.docker, cwd: repositoryRoot, onLine },
  );
  return reference;
}

/** Builds all images one after the other, because they share their first steps. */
export async function buildImages(options: BuildOptions): Promise<Readonly<Record<ImageName, string>>> {
  const references: Partial<Record<ImageName, string>> = {};
  for (const image of IMAGE_NAMES) references[image] = await buildImage(image, options);
  return references as Record<ImageName, string>;
}
