import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/**
 * Packages that this library and the SDK must load from the same folder: patches change values inside them, and objects of
 * one copy fail the type checks of another copy.
 */
export const SHARED_PACKAGES = ["@grpc/grpc-js", "@protobuf-ts/grpc-transport", "long", "protobufjs"] as const;

/** An installed copy of a package. */
export interface PackageCopy {
  readonly directory: string;
  readonly version: string;
}

/**
 * Thrown at load when this library would not share a package with the SDK. Install the version in the message, and only
 * that version.
 */
export class SharedPackageError extends Error {
  constructor(
    readonly packageName: string,
    here: PackageCopy | undefined,
    sdk: PackageCopy,
  ) {
    const problem = here
      ? `This library resolves ${packageName} ${here.version} (${here.directory}), apache-beam resolves ` +
        `${packageName} ${sdk.version} (${sdk.directory}). Both must be the same copy`
      : `This library cannot find ${packageName}, which it must share with apache-beam`;
    super(`${problem}. Install one copy: npm install --save-exact ${packageName}@${sdk.version} && npm dedupe`);
    this.name = "SharedPackageError";
  }
}

/** The copy of a package that a module loads; undefined when it finds none. */
export function findPackage(name: string, fromFile: string): PackageCopy | undefined {
  let entry: string;
  try {
    entry = createRequire(fromFile).resolve(name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
  for (let directory = dirname(entry); directory !== dirname(directory); directory = dirname(directory)) {
    const file = join(directory, "package.json");
    if (!existsSync(file)) continue;
    const manifest = JSON.parse(readFileSync(file, "utf8")) as { name?: string; version?: string };
    // Packages may hold further package.json files, which only say how their modules are loaded.
    if (manifest.name === name) return { directory, version: manifest.version ?? "of unknown version" };
  }
  throw new Error(`${entry} is not below a package.json of ${name}`);
}

/**
 * @param here a file of this library
 * @param sdk a file of the SDK
 * @throws SharedPackageError for the first package that both do not load from the same folder
 */
export function checkSharedPackages(here: string, sdk: string): void {
  for (const name of SHARED_PACKAGES) {
    const theirs = findPackage(name, sdk);
    if (!theirs)
      throw new Error(`apache-beam (${sdk}) cannot find its dependency ${name}. Install it again: npm install`);
    const ours = findPackage(name, here);
    if (ours?.directory !== theirs.directory) throw new SharedPackageError(name, ours, theirs);
  }
}
