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

/** Node and npm, and the user node, where the official image has them. */
function addNode(root: string, say: Say): void {
  say(`adding Node ${NODE_VERSION} from npm`);
  const local = join(root, "usr/local");
  copyFileSync(ensureNode(NODE_VERSION), join(local, "bin/node"));
  chmodSync(join(local, "bin/node"), 0o755);
  run("npm", ["install", "--prefix", local, "--global", "--ignore-scripts", "--no-save", `npm@${NPM_VERSION}`]);
  run("chroot", [root, "groupadd", "--gid", "1000", "node"]);
  run("chroot", [root, "useradd", "--uid", "1000", "--gid", "node", "--create-home", "node"]);
}

async function importImage(engine: Engine, root: string, image: string, environment: readonly string[]): Promise<void> {
  const archive = `${root}.tar`;
  run("tar", ["-C", root, "-cf", archive, "."]);
  const certificates = [`SSL_CERT_FILE=/${CERTIFICATES}`, `NODE_EXTRA_CA_CERTS=/${CERTIFICATES}`];
  const changes = [...environment, ...(existsSync(join(root, CERTIFICATES)) ? certificates : [])];
  await docker(["import", ...changes.flatMap((line) => ["--change", `ENV ${line}`]), archive, image], onEngine(engine));
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
  const root = join(directory, "root");
  makeDebian(root, say);
  if (missing.includes(go)) {
    const goRoot = join(directory, "root-go");
    cpSync(root, goRoot, { recursive: true, verbatimSymlinks: true });
    say("adding Go");
    cpSync(await findGoRoot(say), join(goRoot, "usr/local/go"), { recursive: true, dereference: true });
    await importImage(engine, goRoot, go, [
      "PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]);
    rmSync(goRoot, { recursive: true });
  }
  if (missing.includes(node)) {
    addNode(root, say);
    await importImage(engine, root, node, ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
  }
  rmSync(root, { recursive: true });
}
