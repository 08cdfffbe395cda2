/**
 * Puts together what an image holds: `node dist/local/images/assemble.js worker|ingest|nginx DIR`, in a checkout that is
 * installed and built. The Dockerfiles run it, and the tests do: what is tested is what is shipped.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { packageRoot } from "@eventlogger/process/packageRoot";
import { traceModules } from "./modules";
import { neededPackages, type PackageLock } from "./packages";

interface Contents {
  /** The modules that are run or loaded by name; what they import comes along. */
  readonly entries: readonly string[];
  /** Files that they read. */
  readonly data: readonly string[];
  /** The folder of the package, relative to that of the image. */
  readonly packageFolder: string;
  /** Commands in `node_modules/.bin`, and the modules that they run. */
  readonly commands: Readonly<Record<string, string>>;
}

/** The folder of the worker's modules is one that their names (`eventlogger/dist/…`) lead to. */
const IMAGES = {
  worker: {
    entries: [
      "dist/pipeline/beam/worker/containerMain.js",
      "dist/pipeline/eventPipeline.js",
      "dist/pipeline/bigquery/writeRows.js",
      "dist/pipeline/runners/dataflow/ends.js",
    ],
    data: [],
    packageFolder: "node_modules/eventlogger",
    commands: { "apache-beam-worker": "dist/pipeline/beam/worker/containerMain.js" },
  },
  ingest: {
    entries: ["dist/ingest/main.js", "dist/ingest/healthcheck.js"],
    data: [],
    packageFolder: ".",
    commands: {},
  },
  nginx: {
    // The check goes through nginx to a replica.
    entries: ["dist/nginx/main.js", "dist/ingest/healthcheck.js"],
    data: ["nginx/nginx.conf.template"],
    packageFolder: ".",
    commands: {},
  },
} as const satisfies Record<string, Contents>;

export type ImageName = keyof typeof IMAGES;
export const IMAGE_NAMES = Object.keys(IMAGES) as readonly ImageName[];

/** What only compilers, debuggers and tests read. */
const NOT_RUN = /\.([cm]?ts|map|tsbuildinfo|test\.js)$/;

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(join(packageRoot, file), "utf8")) as T;
}

function copyPackage(path: string, target: string): void {
  const source = join(packageRoot, path);
  if (!existsSync(source)) throw new Error(`${path} is not installed: run npm ci first`);
  cpSync(source, join(target, path), {
    recursive: true,
    // Packages inside of it are copied for themselves, when they are needed.
    filter: (file) => basename(file) !== "node_modules" && !NOT_RUN.test(file),
  });
}

/** Fills a folder, which must not be there yet, with all that an image runs, npm packages included. */
export function assembleImage(image: ImageName, target: string): void {
  const { entries, data, packageFolder, commands }: Contents = IMAGES[image];
  mkdirSync(target, { recursive: true });
  const { files, packages } = traceModules(packageRoot, entries);
  for (const path of neededPackages(readJson<PackageLock>("package-lock.json"), packages)) copyPackage(path, target);
  const home = join(target, packageFolder);
  for (const file of [...files, ...data]) cpSync(join(packageRoot, file), join(home, file));
  const { name, version, license, type, exports } = readJson<Record<string, unknown>>("package.json");
  writeFileSync(join(home, "package.json"), JSON.stringify({ name, version, license, type, exports }, null, 2) + "\n");
  // Beam's boot program shows the package.json of its working directory.
  if (packageFolder !== ".") writeFileSync(join(target, "package.json"), '{ "private": true }\n');
  for (const [command, module] of Object.entries(commands)) {
    const bin = join(target, "node_modules", ".bin");
    mkdirSync(bin, { recursive: true });
    chmodSync(join(home, module), 0o755);
    symlinkSync(join("..", packageFolder.replace(/^node_modules\//, ""), module), join(bin, command));
  }
}

function main([image, target]: readonly string[]): void {
  if (!IMAGE_NAMES.includes(image as ImageName) || !target) {
    throw new Error(
      `usage: node ${join("dist", "local", "images", basename(__filename))} ${IMAGE_NAMES.join("|")} DIR`,
    );
  }
  if (existsSync(target)) throw new Error(`${target} is there already: take it away first`);
  mkdirSync(dirname(target), { recursive: true });
  assembleImage(image as ImageName, target);
}

if (require.main === module) main(process.argv.slice(2));
