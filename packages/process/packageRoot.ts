import { existsSync, readFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";

/** The folder of a file and all folders above it. */
function* foldersAbove(file: string): Generator<string> {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    yield folder;
    if (folder === dirname(folder)) return;
  }
}

/**
 * The folder of the npm package that a file belongs to: the nearest folder above it with a package.json.
 * @throws Error when no folder above the file has a package.json
 */
export function packageRootOf(file: string): string {
  for (const folder of foldersAbove(file)) if (existsSync(join(folder, "package.json"))) return folder;
  throw new Error(`No package.json in any folder above ${file}`);
}

function findRepositoryRoot(): string {
  for (const folder of foldersAbove(__filename)) {
    const manifest = join(folder, "package.json");
    if (!existsSync(manifest)) continue;
    if ("workspaces" in (JSON.parse(readFileSync(manifest, "utf8")) as object)) return folder;
  }
  // Installed as a dependency, or in an image: the folder that contains node_modules.
  const [application] = __filename.split(`${sep}node_modules${sep}`);
  return application !== undefined && application !== __filename ? application : packageRootOf(__filename);
}

/** The folder of the npm workspaces. Where this package is installed as a dependency: the folder of the application. */
export const repositoryRoot = findRepositoryRoot();

/** Folder for downloads and builds of this checkout. Safe to delete: everything in it is created again when needed. */
export const cacheDir = join(repositoryRoot, ".cache");
