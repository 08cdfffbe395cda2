/**
 * Assembles the contents of an image: `node tools/dist/images/assemble.js worker|pipeline|ingest|nginx DIR`, in an installed and
 * compiled checkout. The Dockerfiles and the tests both run it, so the tests check what is shipped.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { traceModules } from "./modules";
import { neededPackages, type PackageLock } from "./packages";
import { readWorkspaces } from "./workspaces";

interface Contents {
  /** Modules that are run or loaded by name. Everything they import is added. */
  readonly entries: readonly string[];
  /** Other files and folders that the modules read; relative to the root. */
  readonly data: readonly string[];
  /** Commands in `node_modules/.bin`, and the module that each one runs. */
  readonly commands: Readonly<Record<string, string>>;
}

const IMAGES = {
  worker: {
    entries: [
      "@eventlogger/beam/worker/containerMain",
      "@eventlogger/beam/worker/containerHeap",
      "@eventlogger/pipeline/eventPipeline",
      "@eventlogger/pipeline/io/bigquery/writeRows",
      "@eventlogger/pipeline/runners/dataflow/io",
      // For Flink clusters: the worker pool, its workers, and the sources and sinks of the pipeline on Flink.
      "@eventlogger/pipeline/cli/workerPoolMain",
      "@eventlogger/beam/worker/main",
      "@eventlogger/pipeline/runners/flink/io",
    ],
    data: [],
    commands: {
      "apache-beam-worker": "@eventlogger/beam/worker/containerMain",
      // npx starts the worker with the Node options that it prints.
      "apache-beam-worker-node-options": "@eventlogger/beam/worker/containerHeap",
      "eventlogger-worker-pool": "@eventlogger/pipeline/cli/workerPoolMain",
    },
  },
  // The command line with `run`, for Kubernetes and scheduled jobs. Its Dockerfile adds Java and the Flink job server.
  pipeline: {
    entries: [
      "@eventlogger/pipeline/cli/main",
      "@eventlogger/pipeline/rebuild/flink/childMain",
      // What workers on Flink load by name, and the thread of their clock.
      "@eventlogger/pipeline/eventPipeline",
      "@eventlogger/pipeline/runners/flink/io",
      "@eventlogger/beam/worker/main",
      "@eventlogger/beam/metrics/clockThread",
    ],
    // The sources of the Flink job server: their hash is its name.
    data: ["packages/beam/flink/pom.xml", "packages/beam/flink/java"],
    commands: { eventlogger: "@eventlogger/pipeline/cli/main" },
  },
  ingest: {
    entries: ["@eventlogger/ingest/main", "@eventlogger/options/healthcheck"],
    // The browser client and the dashboard, which ingest serves.
    data: ["packages/client/dist/eventlogger.iife.js", "packages/dashboard/dist/site"],
    commands: {},
  },
  nginx: {
    // The health check sends a request through nginx to a replica.
    entries: ["@eventlogger/nginx/main", "@eventlogger/options/healthcheck"],
    data: ["nginx/nginx.conf.template"],
    commands: {},
  },
} as const satisfies Record<string, Contents>;

export type ImageName = keyof typeof IMAGES;
export const IMAGE_NAMES = Object.keys(IMAGES) as readonly ImageName[];

/** Files that only compilers, debuggers and tests read. */
const NOT_NEEDED = /\.([cm]?ts|map|tsbuildinfo|test\.js)$/;

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(join(repositoryRoot, file), "utf8")) as T;
}

function copyPackage(path: string, target: string): void {
  const source = join(repositoryRoot, path);
  if (!existsSync(source)) throw new Error(`${path} is not installed: run npm ci first`);
  if (!path.startsWith("node_modules/")) throw new Error(`${path} is not at the top of node_modules: see npm dedupe`);
  cpSync(source, join(target, path), {
    recursive: true,
    // Nested packages are copied separately, if they are needed.
    filter: (file) => basename(file) !== "node_modules" && !NOT_NEEDED.test(file),
  });
}

/**
 * Creates a folder with everything that an image runs, including npm packages.
 * @throws Error that names a package or a module that is missing
 */
export function assembleImage(image: ImageName, target: string): void {
  const { entries, data, commands }: Contents = IMAGES[image];
  mkdirSync(target, { recursive: true });
  const workspaces = readWorkspaces(repositoryRoot);
  const { files, packages } = traceModules(repositoryRoot, workspaces, entries);
  const lock = readJson<PackageLock>("package-lock.json");
  const needed = new Set([...packages].flatMap(([workspace, names]) => neededPackages(lock, names, workspace)));
  for (const path of needed) copyPackage(path, target);
  for (const [name, folder] of workspaces) {
    const own = [...files, ...data].filter((file) => file.startsWith(`${folder}/`));
    if (own.length === 0) continue;
    const home = join(target, "node_modules", name);
    for (const file of own) {
      if (!existsSync(join(repositoryRoot, file))) throw new Error(`${file} is missing: run npm run build first`);
      cpSync(join(repositoryRoot, file), join(home, file.slice(folder.length + 1)), { recursive: true });
    }
    const manifest = readJson<Record<string, unknown>>(join(folder, "package.json"));
    const { version, license, type, exports } = manifest;
    writeFileSync(
      join(home, "package.json"),
      JSON.stringify({ name, version, license, type, exports }, null, 2) + "\n",
    );
  }
  // Beam's boot program prints the package.json of its working directory.
  writeFileSync(join(target, "package.json"), '{ "private": true }\n');
  for (const [command, module] of Object.entries(commands)) {
    const bin = join(target, "node_modules", ".bin");
    mkdirSync(bin, { recursive: true });
    const [scope = "", name = "", ...path] = module.split("/");
    const file = join(scope, name, "dist", `${path.join("/")}.js`);
    chmodSync(join(target, "node_modules", file), 0o755);
    symlinkSync(join("..", file), join(bin, command));
  }
}

function main([image, target]: readonly string[]): void {
  if (!IMAGE_NAMES.includes(image as ImageName) || !target) {
    throw new Error(`usage: node tools/dist/images/${basename(__filename)} ${IMAGE_NAMES.join("|")} DIR`);
  }
  if (existsSync(target)) throw new Error(`${target} exists: remove it first`);
  mkdirSync(dirname(target), { recursive: true });
  assembleImage(image as ImageName, target);
}

if (require.main === module) main(process.argv.slice(2));
