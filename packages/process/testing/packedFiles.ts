import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

/** The files that `npm pack` puts into the package in a folder, sorted; the compiled files as they are now. */
export function packedFiles(packageRoot: string): string[] {
  // The lifecycle scripts compile the package again.
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const output = execFileSync("npm", args, { cwd: packageRoot, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const [packed] = JSON.parse(output) as [{ readonly files: readonly { readonly path: string }[] }];
  return packed.files.map((file) => file.path).sort();
}

/** The TypeScript sources of a package, relative to its folder. */
function sourceFiles(packageRoot: string): string[] {
  const folders = readdirSync(packageRoot, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !["dist", "node_modules"].includes(entry.name))
    .map((entry) => entry.name);
  const inFolders = folders.flatMap((folder) =>
    readdirSync(join(packageRoot, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
  );
  return [...readdirSync(packageRoot), ...inFolders].filter((file) => /(?<!\.d)\.ts$/.test(file)).sort();
}

/**
 * The packed files that are not the compiled form of a source. Compiled files whose source was removed are left out: the
 * `prepack` script removes them.
 *
 * @param shipped whether a source is part of the package
 * @returns the compiled files that are missing, and everything else that is packed
 */
export function comparePackedFiles(
  packageRoot: string,
  shipped: (source: string) => boolean,
): { readonly missing: string[]; readonly notShipped: string[]; readonly others: string[] } {
  const packed = packedFiles(packageRoot);
  const compiled = (source: string): string[] => [".js", ".d.ts"].map((ext) => `dist/${source.slice(0, -3)}${ext}`);
  const sources = sourceFiles(packageRoot);
  const wanted = sources.filter(shipped).flatMap(compiled);
  const unwanted = new Set(sources.filter((source) => !shipped(source)).flatMap(compiled));
  return {
    missing: wanted.filter((file) => !packed.includes(file)),
    notShipped: packed.filter((file) => unwanted.has(file)),
    others: packed.filter((file) => !/^dist\/.*\.(js|d\.ts)$/.test(file)),
  };
}
