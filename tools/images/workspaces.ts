import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The workspaces: package name to folder, relative to the root. */
export type Workspaces = ReadonlyMap<string, string>;

function readManifest(folder: string): { readonly name: string; readonly workspaces?: readonly string[] } {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name: string };
}

/**
 * Reads the workspaces of a package.json that lists them without patterns.
 * @param root the folder of the package.json
 */
export function readWorkspaces(root: string): Workspaces {
  const folders = readManifest(root).workspaces ?? [];
  return new Map(folders.map((folder) => [readManifest(join(root, folder)).name, folder]));
}
