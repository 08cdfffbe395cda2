import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureNode } from "../../../pipeline/beam/testing/nodeVersions";
import { findGoRoot } from "../bootProgram";
import { docker, DockerError } from "../docker";
import { CannotTestError, ensureCommands, onEngine, type Engine } from "./engine";

const RELEASE = "bookworm";
const NODE_VERSION = "22.22.0";
const NPM_VERSION = "10.9.9";
/** Where Debian keeps the certificates that it trusts. */
const CERTIFICATES = "etc/ssl/certs/ca-certificates.crt";

type Say = (line: string) => void;

function run(command: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(command, [...args], { encoding: "utf8", maxBuffer: 1 << 26 });
  if (status === 0) return;
  const end = (stdout + stderr).trimEnd().split("\n").slice(-5).join("\n");
  throw new CannotTestError(`${command} ${args.slice(0, 2).join(" ")} failed (exit code ${status}):\n${end}`);
}

/** The default image of an ARG in a Dockerfile. */
function defaultOf(dockerfile: string, argument: string): string {
  const image = new RegExp(`^ARG ${argument}=(\\S+)$`, "m").exec(readFileSync(dockerfile, "utf8"))?.[1];
  if (image === undefined) throw new Error(`${dockerfile} has no ARG ${argument} with a default`);
  return image;
}

/** A minimal Debian, as Docker's own images have it, that trusts what this machine trusts. */
function makeDebian(root: string, say: Say): void {
  ensureCommands({ debootstrap: "debootstrap", tar: "tar" }, say);
  say(`making a minimal Debian ${RELEASE} with debootstrap (a minute or two)`);
  run("debootstrap", ["--variant=minbase", RELEASE, root]);
  rmSync(join(root, "var/cache/apt"), { recursive: true });
  rmSync(join(root, "var/lib/apt/lists"), { recursive: true });
  if (!existsSync(join("/", CERTIFICATES))) return;
  mkdirSync(join(root, "etc/ssl/certs"), { recursive: true });
  copyFileSync(join("/", CERTIFICATES), join(root, CERTIFICATES));
}

/** Go, where the official image has it; @returns its folder. */
async function addGo(debian: string, say: Say): Promise<string> {
  say("adding Go");
  const folder = join(debian, "usr/local/go");
  cpSync(await findGoRoot(say), folder, { recursive: true, dereference: true });
  return folder;
}

/** Node, npm and the user node, where the official image has them. */
function addNode(debian: string, say: Say): void {
  say(`adding Node ${NODE_VERSION} and npm ${NPM_VERSION} from npm`);
  const local = join(debian, "usr/local");
  copyFileSync(ensureNode(NODE_VERSION), join(local, "bin/node"));
  chmodSync(join(local, "bin/node"), 0o755);
  run("npm", ["install", "--prefix", local, "--global", "--ignore-scripts", "--no-save", `npm@${NPM_VERSION}`]);
  run("chroot", [debian, "groupadd", "--gid", "1000", "node"]);
  run("chroot", [debian, "useradd", "--uid", "1000", "--gid", "node", "--create-home", "node"]);
}

async function importImage(engine: Engine, debian: string, image: string, path: string): Promise<void> {
  const archive = `${debian}.tar`;
  // Devices are made by the engine.
  run("tar", ["-cf", archive, "--exclude=./dev/*", "-C", debian, "."]);
  const certificates = [`SSL_CERT_FILE=/${CERTIFICATES}`, `NODE_EXTRA_CA_CERTS=/${CERTIFICATES}`];
  const environment = [`PATH=${path}`, ...(existsSync(join(debian, CERTIFICATES)) ? certificates : [])];
  const changes = environment.flatMap((line) => ["--change", `ENV ${line}`]);
  await docker(["import", ...changes, archive, image], onEngine(engine));
  rmSync(archive);
}

async function has(engine: Engine, image: string): Promise<boolean> {
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
 * Sees to it that the engine has the base images of the Dockerfiles: those it has or can pull, otherwise ones that are
 * made on the spot, under the same names. Those are only made on an engine that was started for the tests.
 * @throws CannotTestError when they cannot be had
 */
export async function ensureBaseImages(engine: Engine, dockerfile: string, directory: string, say: Say): Promise<void> {
  const node = defaultOf(dockerfile, "NODE_IMAGE");
  const go = defaultOf(dockerfile, "GO_IMAGE");
  const missing = [];
  for (const image of [node, go]) if (!(await has(engine, image))) missing.push(image);
  if (missing.length === 0) return;
  if (!engine.ownEngine) {
    throw new CannotTestError(
      `the engine cannot pull ${missing.join(" and ")}, and it is not ours to put others there`,
    );
  }
  say(`${missing.join(" and ")} cannot be pulled`);
  const debian = join(directory, "debian");
  makeDebian(debian, say);
  const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  if (missing.includes(go)) {
    const folder = await addGo(debian, say);
    await importImage(engine, debian, go, `/usr/local/go/bin:${path}`);
    rmSync(folder, { recursive: true });
  }
  if (missing.includes(node)) {
    addNode(debian, say);
    await importImage(engine, debian, node, path);
  }
  rmSync(debian, { recursive: true });
}
