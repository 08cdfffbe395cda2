/** `npm run images`: builds the images of worker, ingest and nginx, and pushes them when asked to. */
import yargs from "yargs";
import { ConfigError, readOptions, yargsOptions, type OptionSpecs } from "@eventlogger/options/options";
import { colours } from "@eventlogger/options/terminal";
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
    describe: "Tag of all images",
    default: packageVersion,
    check: (tag) => (TAG.test(tag) ? undefined : "must be letters, digits, dots, dashes and underscores, at most 128"),
  },
  repository: {
    type: "string",
    describe: "Where they belong, such as europe-docker.pkg.dev/my-project/my-repository",
    optional: true,
    check: (name) => (REFERENCE_PART.test(name) ? undefined : "must be an image repository, in small letters"),
  },
  push: { type: "boolean", describe: "Push them to the repository", default: false },
  platform: {
    type: "string",
    describe: "Processor of the machines that run them; Dataflow's are linux/amd64 unless you choose others",
    default: "linux/amd64",
    check: (name) => (/^\w+\/\w+(\/\w+)?$/.test(name) ? undefined : "must be such as linux/amd64"),
  },
  nodeImage: { type: "string", describe: "Base image with Node", optional: true, group: "Mirrors:" },
  goImage: { type: "string", describe: "Image with Go, for the build only", optional: true, group: "Mirrors:" },
  npmRegistry: { type: "string", describe: "npm registry for the build", optional: true, group: "Mirrors:" },
  goProxy: { type: "string", describe: "GOPROXY for the build", optional: true, group: "Mirrors:" },
  goSumdb: { type: "string", describe: "GOSUMDB for the build", optional: true, group: "Mirrors:" },
} as const satisfies OptionSpecs;

async function size(reference: string): Promise<string> {
  const bytes = Number(await docker(["image", "inspect", "--format", "{{.Size}}", reference]));
  return `${Math.round(bytes / 1e6)} MB`;
}

async function run(flags: Readonly<Record<string, unknown>>): Promise<void> {
  const { push, ...build } = readOptions(options, flags, process.env, ({ push, repository }) =>
    push && !repository ? ["--push (PUSH) needs --repository (REPOSITORY): it says where to"] : [],
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
    .usage(
      "$0 [options]\n\nBuilds the images of the pipeline's worker, of ingest and of the nginx in front of it with Docker.",
    )
    .options(yargsOptions(options))
    .example("$0", "for this machine's engine alone")
    .example("$0 --repository europe-docker.pkg.dev/my-project/images --push", "for Dataflow")
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

void main().then((code) => process.exit(code));
