/** `npm run images`: builds the images of worker, ingest and nginx, and can push them. */
import yargs from "yargs";
import { ConfigError, readOptions, yargsOptions, type OptionSpecs } from "@eventlogger/options/options";
import { colours } from "@eventlogger/options/terminal";
import { runMain } from "@eventlogger/process/main";
import { IMAGE_NAMES } from "./assemble";
import { buildImage, imageReference, packageVersion } from "./build";
import { docker, DockerError, engineVersion, NoEngineError } from "./docker";

const FAILED = 1;
const WRONG_USE = 2;

const REFERENCE_PART = /^[a-z0-9][a-z0-9._/:-]*$/;
const TAG = /^\w[\w.-]{0,127}$/;

const options = {
  tag: {
    type: "string",
    describe: "Tag of the images.",
    default: packageVersion,
    check: (tag) => (TAG.test(tag) ? undefined : "must be 1 to 128 letters, digits, dots, dashes and underscores"),
  },
  repository: {
    type: "string",
    describe: "Repository of the images, such as europe-docker.pkg.dev/my-project/my-repository.",
    optional: true,
    check: (name) => (REFERENCE_PART.test(name) ? undefined : "must be an image repository in lower case"),
  },
  push: { type: "boolean", describe: "Push the images to the repository.", default: false },
  platform: {
    type: "string",
    describe: "Platform of the images. Dataflow runs linux/amd64 unless you select Arm machines.",
    default: "linux/amd64",
    check: (name) => (/^\w+\/\w+(\/\w+)?$/.test(name) ? undefined : "must look like linux/amd64"),
  },
  nodeImage: { type: "string", describe: "Base image with Node.", optional: true, group: "Mirrors:" },
  goImage: {
    type: "string",
    describe: "Image with Go, used during the build only.",
    optional: true,
    group: "Mirrors:",
  },
  npmRegistry: { type: "string", describe: "npm registry of the build.", optional: true, group: "Mirrors:" },
  goProxy: { type: "string", describe: "GOPROXY of the build.", optional: true, group: "Mirrors:" },
  goSumdb: { type: "string", describe: "GOSUMDB of the build.", optional: true, group: "Mirrors:" },
} as const satisfies OptionSpecs;

async function size(reference: string): Promise<string> {
  const bytes = Number(await docker(["image", "inspect", "--format", "{{.Size}}", reference]));
  return `${Math.round(bytes / 1e6)} MB`;
}

async function run(flags: Readonly<Record<string, unknown>>): Promise<void> {
  const { push, ...build } = readOptions(options, flags, process.env, ({ push, repository }) =>
    push && !repository ? ["--push (PUSH) requires --repository (REPOSITORY)"] : [],
  );
  const { dim, green, bold } = colours(process.stdout);
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  say(dim(`Docker Engine ${await engineVersion()}`));
  const onProgress = (image: string, line: string): void => say(dim(`${image}  ${line}`));
  for (const image of IMAGE_NAMES) {
    say(`building ${bold(imageReference(image, build))}`);
    const startedAt = Date.now();
    const reference = await buildImage(image, { ...build, onProgress });
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    say(`${green("built")} ${reference} (${await size(reference)}, ${seconds} s)`);
  }
  if (!push) return;
  for (const image of IMAGE_NAMES) {
    const reference = imageReference(image, build);
    say(`pushing ${reference}`);
    const output = await docker(["push", reference]);
    say(`${green("pushed")} ${reference} ${/sha256:[0-9a-f]{64}/.exec(output)?.[0] ?? ""}`);
  }
}

async function main(): Promise<number> {
  const flags = yargs(process.argv.slice(2))
    .scriptName("npm run images --")
    .usage("$0 [options]\n\nBuilds the Docker images of the pipeline worker, of ingest and of nginx.")
    .options(yargsOptions(options))
    .example("$0", "builds the images on this machine")
    .example(
      "$0 --repository europe-docker.pkg.dev/my-project/images --push",
      "builds and pushes the images for Dataflow",
    )
    .strict()
    .version(false)
    .wrap(110)
    .parseSync();
  try {
    await run(flags);
    return 0;
  } catch (error) {
    const known = error instanceof ConfigError || error instanceof NoEngineError || error instanceof DockerError;
    const { red } = colours(process.stderr);
    const text = known ? error.message : ((error as Error).stack ?? String(error));
    process.stderr.write(`${red("error:")} ${text}\n`);
    return error instanceof ConfigError ? WRONG_USE : FAILED;
  }
}

runMain(main);
