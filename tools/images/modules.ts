import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import ts from "typescript";

/** What some modules need to run. */
export interface ModuleTrace {
  /** The modules, and those of the package that they import, directly or not; paths relative to its folder, sorted. */
  readonly files: readonly string[];
  /** The names of the npm packages that they import, sorted. */
  readonly packages: readonly string[];
}

const BUILT_IN = /^node:/;
const PACKAGE_NAME = /^(@[^/]+\/)?[^/]+/;

function resolveRelative(from: string, specifier: string): string {
  const path = resolve(dirname(from), specifier);
  for (const candidate of [path, `${path}.js`, join(path, "index.js")]) {
    if (existsSync(candidate) && /\.c?js$/.test(candidate)) return candidate;
  }
  throw new Error(`${from} imports ${specifier}, which is not there`);
}

/**
 * Follows the imports of compiled modules, also those that are made late (`import()`).
 * @param root the package's folder
 * @param entries modules by their paths relative to it, such as `dist/ingest/main.js`
 * @throws Error naming an import that leads nowhere
 */
export function traceModules(root: string, entries: readonly string[]): ModuleTrace {
  const files = new Set<string>();
  const packages = new Set<string>();
  const waiting = entries.map((entry) => resolveRelative(join(root, "package.json"), `./${entry}`));
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    // The compiler's own scanner: what stands in comments is no import.
    for (const { fileName: specifier } of ts.preProcessFile(readFileSync(file, "utf8"), true, true).importedFiles) {
      if (specifier.startsWith(".")) waiting.push(resolveRelative(file, specifier));
      else if (!BUILT_IN.test(specifier)) packages.add(PACKAGE_NAME.exec(specifier)?.[0] ?? specifier);
    }
  }
  return { files: [...files].map((file) => relative(root, file)).sort(), packages: [...packages].sort() };
}
