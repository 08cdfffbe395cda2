import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import ts from "typescript";
import type { Workspaces } from "./workspaces";

/** Everything that some modules need to run. */
export interface ModuleTrace {
  /** The modules and all modules of the project that they import, directly or indirectly; paths relative to the root, sorted. */
  readonly files: readonly string[];
  /** The npm packages that they import: workspace (path relative to the root) to package names, sorted. */
  readonly packages: ReadonlyMap<string, readonly string[]>;
}

const BUILT_IN = /^node:/;
const PACKAGE_NAME = /^(@[^/]+\/)?[^/]+/;

function resolveRelative(from: string, specifier: string): string {
  const path = resolve(dirname(from), specifier);
  for (const candidate of [path, `${path}.js`, join(path, "index.js")]) {
    if (existsSync(candidate) && /\.c?js$/.test(candidate)) return candidate;
  }
  throw new Error(`${from} imports ${specifier}, which does not exist`);
}

type Exported = string | { readonly [condition: string]: Exported };

/** The file behind the bare name of a package, relative to its folder: as its `exports` say, otherwise dist/index.js. */
function mainFile(folder: string): string {
  const manifest = join(folder, "package.json");
  if (!existsSync(manifest)) return "dist/index.js";
  const { exports } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly exports?: { readonly ".": Exported } };
  let target = exports?.["."];
  while (typeof target === "object") target = target["require"] ?? target["default"];
  return target ?? "dist/index.js";
}

/**
 * Follows the imports of compiled modules, including dynamic ones (`import()`) and those of other workspaces.
 * @param root the folder of the workspaces
 * @param workspaces the project's packages; a module `name/path` of one is its file `dist/path.js`
 * @param entries modules by name, such as `@eventlogger/ingest/main`
 * @throws Error that names an import that cannot be resolved
 */
export function traceModules(root: string, workspaces: Workspaces, entries: readonly string[]): ModuleTrace {
  const files = new Set<string>();
  const packages = new Map<string, Set<string>>();

  /** The file of a module of a workspace; undefined for an npm package. */
  const resolveName = (from: string, specifier: string): string | undefined => {
    const name = PACKAGE_NAME.exec(specifier)?.[0] ?? specifier;
    const folder = workspaces.get(name);
    if (folder === undefined) return undefined;
    const path = specifier === name ? mainFile(join(root, folder)) : `dist/${specifier.slice(name.length + 1)}.js`;
    const file = join(root, folder, path);
    if (existsSync(file)) return file;
    throw new Error(`${from} imports ${specifier}, but ${relative(root, file)} does not exist`);
  };
  const workspaceOf = (file: string): string => {
    const path = relative(root, file);
    return [...workspaces.values()].find((folder) => path.startsWith(`${folder}/`)) ?? "";
  };

  const waiting = entries.map((entry) => {
    const file = resolveName("The image", entry);
    if (file === undefined) throw new Error(`${entry} is not a module of any workspace`);
    return file;
  });
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    // The scanner of the compiler, which ignores comments and strings.
    for (const { fileName: specifier } of ts.preProcessFile(readFileSync(file, "utf8"), true, true).importedFiles) {
      if (BUILT_IN.test(specifier)) continue;
      if (specifier.startsWith(".")) {
        waiting.push(resolveRelative(file, specifier));
        continue;
      }
      const own = resolveName(file, specifier);
      if (own !== undefined) waiting.push(own);
      else {
        const workspace = workspaceOf(file);
        const names = packages.get(workspace) ?? new Set<string>();
        packages.set(workspace, names.add(PACKAGE_NAME.exec(specifier)?.[0] ?? specifier));
      }
    }
  }
  return {
    files: [...files].map((file) => relative(root, file)).sort(),
    packages: new Map([...packages].map(([workspace, names]) => [workspace, [...names].sort()])),
  };
}
