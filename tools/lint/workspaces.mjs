// The workspaces of the repository, as the lint rules see them.
import { readFileSync, statSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The scope of the names of all workspaces. */
export const SCOPE = "@eventlogger/";

/** The folder of the repository. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const readJson = (file) => JSON.parse(readFileSync(file, "utf8"));

/** Caches what `read` returns for a file until the file changes: an editor keeps this process for hours. */
export function cachedByFile(read) {
  const cache = new Map();
  return (file) => {
    const { mtimeMs } = statSync(file);
    const known = cache.get(file);
    if (known?.mtimeMs === mtimeMs) return known.value;
    const value = read(file);
    cache.set(file, { mtimeMs, value });
    return value;
  };
}

const readManifest = cachedByFile(readJson);

/**
 * @typedef {{ name: string, folder: string, manifest: object }} Workspace
 * `name` has no scope, `folder` is relative to the repository ("" is the repository itself), `manifest` is its package.json.
 */

/** @returns {Workspace} */
function readWorkspace(folder) {
  const manifest = readManifest(join(root, folder, "package.json"));
  return { name: manifest.name.replace(SCOPE, ""), folder, manifest };
}

/** @returns {Workspace[]} */
const workspaces = () => readManifest(join(root, "package.json")).workspaces.map(readWorkspace);

/** The path of a file relative to the repository, with slashes. */
export const pathInRepository = (file) => relative(root, file).split(sep).join("/");

/** The workspace of an absolute path; the root package when no workspace holds it. @returns {Workspace} */
export function workspaceOf(file) {
  const path = pathInRepository(file);
  return workspaces().find(({ folder }) => path.startsWith(`${folder}/`)) ?? readWorkspace("");
}

/** The workspace with a name without scope; undefined when there is none. @returns {Workspace | undefined} */
export const workspaceNamed = (name) => workspaces().find((workspace) => workspace.name === name);
