import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ensureNode } from "@eventlogger/process/testing/nodeVersions";
import { findPubSubEmulatorJar } from "@eventlogger/gcp/emulators/pubsubEmulatorJar";
import { findGoRoot } from "@eventlogger/tools/images/bootProgram";
import { docker, DockerError } from "@eventlogger/tools/images/docker";
import { CannotTestError, ensureCommands, onEngine, type Engine } from "./engine";

const RELEASE = "bookworm";
const NODE_VERSION = "22.22.0";
const NPM_VERSION = "10.9.9";
/** Debian's bundle of trusted certificates. */
const CERTIFICATES = "etc/ssl/certs/ca-certificates.crt";

type Say = (line: string) => void;

function run(command: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(command, [...args], { encoding: "utf8", maxBuffer: 1 << 26 });
  if (status === 0) return;
  const end = (stdout + stderr).trimEnd().split("\n").slice(-5).join("\n");
  throw new CannotTestError(`${command} ${args.slice(0, 2).join(" ")} failed (exit code ${status}):\n${end}`);
}

/** Default values of the image ARGs of Dockerfiles, by ARG. */
function defaultImages(dockerfiles: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const dockerfile of dockerfiles) {
    const lines = readFileSync(dockerfile, "utf8").matchAll(/^ARG (\w+_IMAGE)=(\S+)$/gm);
    for (const [, name, image] of lines) found.set(name as string, image as string);
  }
  return found;
}

/** Creates a minimal Debian, like that of Docker's official images, with the trusted certificates of this machine. */
async function createDebian(root: string, say: Say): Promise<void> {
  await ensureCommands({ debootstrap: "debootstrap", tar: "tar" }, say);
  say(`creating a minimal Debian ${RELEASE} with debootstrap (a minute or two)`);
  run("debootstrap", ["--variant=minbase", RELEASE, root]);
  rmSync(join(root, "var/cache/apt"), { recursive: true });
  rmSync(join(root, "var/lib/apt/lists"), { recursive: true });
  if (existsSync(join("/", CERTIFICATES))) addCertificates(root);
}

/** Adds the certificates as a bundle and as single files: packages that are installed later read the single files. */
function addCertificates(root: string): void {
  const bundle = readFileSync(join("/", CERTIFICATES), "utf8");
  mkdirSync(join(root, dirname(CERTIFICATES)), { recursive: true });
  writeFileSync(join(root, CERTIFICATES), bundle);
  const folder = join(root, "usr/local/share/ca-certificates");
  mkdirSync(folder, { recursive: true });
  const each = bundle.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  each.forEach((certificate, i) => writeFileSync(join(folder, `machine-${i}.crt`), `${certificate}\n`));
}

/** Adds Node, npm and the user node at the same places as in the official image. */
function addNode(debian: string, say: Say): void {
  say(`adding Node ${NODE_VERSION} and npm ${NPM_VERSION} from npm`);
  const local = join(debian, "usr/local");
  copyFileSync(ensureNode(NODE_VERSION), join(local, "bin/node"));
  chmodSync(join(local, "bin/node"), 0o755);
  run("npm", ["install", "--prefix", local, "--global", "--ignore-scripts", "--no-save", `npm@${NPM_VERSION}`]);
  run("chroot", [debian, "groupadd", "--gid", "1000", "node"]);
  run("chroot", [debian, "useradd", "--uid", "1000", "--gid", "node", "--create-home", "node"]);
}

/** How a base image is made from a minimal Debian. */
interface ImageRecipe {
  /** First folder on the PATH of the image. */
  readonly bin?: string;
  /** The folder that `add` creates, if it changes nothing else. It is removed before the next image. */
  readonly folder?: string;
  readonly add: (debian: string, say: Say) => void | Promise<void>;
}

/** By ARG of the Dockerfiles, in order: the last recipe changes the Debian itself. */
const RECIPES: Readonly<Record<string, ImageRecipe>> = {
  GO_IMAGE: {
    bin: "/usr/local/go/bin",
    folder: "usr/local/go",
    async add(debian, say) {
      say("adding Go");
      cpSync(await findGoRoot(say), join(debian, "usr/local/go"), { recursive: true, dereference: true });
    },
  },
  PUBSUB_EMULATOR_IMAGE: {
    folder: "google-cloud-sdk",
    async add(debian, say) {
      const jar = await findPubSubEmulatorJar();
      if (!jar)
        throw new CannotTestError("Google's Pub/Sub emulator is not installed on this machine, so it cannot be copied");
      say("adding the Pub/Sub emulator of this machine");
      const folder = "platform/pubsub-emulator";
      cpSync(dirname(dirname(jar)), join(debian, "google-cloud-sdk", folder), { recursive: true, dereference: true });
    },
  },
  NODE_IMAGE: { add: addNode },
};

async function importImage(engine: Engine, debian: string, image: string, path: string): Promise<void> {
  const archive = `${debian}.tar`;
  // The engine creates devices.
  run("tar", ["-cf", archive, "--exclude=./dev/*", "-C", debian, "."]);
  const variables = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PIP_CERT"];
  const certificates = variables.map((name) => `${name}=/${CERTIFICATES}`);
  const environment = [`PATH=${path}`, ...(existsSync(join(debian, CERTIFICATES)) ? certificates : [])];
  const changes = environment.flatMap((line) => ["--change", `ENV ${line}`]);
  await docker(["import", ...changes, archive, image], onEngine(engine));
  rmSync(archive);
}

/** Whether the engine has an image, or can pull it. */
async function canGetImage(engine: Engine, image: string): Promise<boolean> {
  for (const args of [["image", "inspect"], ["pull"]]) {
    try {
      await docker([...args, image], onEngine(engine));
      return true;
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
    }
  }
  return false;
}

/**
 * Makes sure that the engine has the base images of the Dockerfiles. Images that it can neither find nor pull are created
 * from Debian packages under the same names, but only on an engine that was started for the tests.
 * @param directory for temporary files
 * @throws CannotTestError when an image is missing and cannot be created
 */
export async function ensureBaseImages(
  engine: Engine,
  dockerfiles: readonly string[],
  directory: string,
  say: Say,
): Promise<void> {
  const missing = new Map<string, string>();
  for (const [name, image] of defaultImages(dockerfiles))
    if (!(await canGetImage(engine, image))) missing.set(name, image);
  if (missing.size === 0) return;
  const names = [...missing.values()].join(" and ");
  if (!engine.ownEngine) {
    throw new CannotTestError(
      `the engine cannot pull ${names}, and images are only created on an engine that was started for the tests`,
    );
  }
  say(`${names} cannot be pulled`);
  const unknown = [...missing.keys()].find((name) => !(name in RECIPES));
  if (unknown !== undefined) throw new Error(`No recipe to create an image for ${unknown}`);
  const debian = join(directory, "debian");
  await createDebian(debian, say);
  const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const [name, { bin, folder, add }] of Object.entries(RECIPES)) {
    const image = missing.get(name);
    if (image === undefined) continue;
    await add(debian, say);
    await importImage(engine, debian, image, bin ? `${bin}:${path}` : path);
    if (folder) rmSync(join(debian, folder), { recursive: true });
  }
  rmSync(debian, { recursive: true });
}
