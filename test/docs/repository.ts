import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What is installed, compiled or downloaded, and not part of the sources. */
const NOT_SOURCES = new Set(["node_modules", "dist", ".git", ".cache", ".eventlogger"]);
const isSource = (name: string): boolean => !NOT_SOURCES.has(name) && !name.startsWith(".local");

function* walk(root: string, folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (!isSource(entry.name)) continue;
    const path = folder ? `${folder}/${entry.name}` : entry.name;
    if (entry.isDirectory()) {
      yield `${path}/`;
      yield* walk(root, path);
    } else if (entry.isFile()) yield path;
  }
}

export interface PackageManifest {
  readonly name: string;
  readonly scripts: Readonly<Record<string, string>>;
}

/** The sources of a repository. Paths are relative to its root, with slashes. */
export class Repository {
  /** Sorted. */
  readonly files: readonly string[];
  private readonly folders: ReadonlySet<string>;
  private readonly paths: ReadonlySet<string>;

  constructor(readonly root: string) {
    const all = [...walk(root, "")];
    this.files = all.filter((path) => !path.endsWith("/")).sort();
    this.folders = new Set(all.filter((path) => path.endsWith("/")).map((path) => path.slice(0, -1)));
    this.paths = new Set([...this.files, ...this.folders]);
  }

  read(file: string): string {
    return readFileSync(join(this.root, file), "utf8");
  }

  isFolder(path: string): boolean {
    return this.folders.has(path);
  }

  /** Whether a file or folder is there; one slash at the end is ignored. */
  has(path: string): boolean {
    return this.paths.has(path.replace(/\/$/, ""));
  }

  hasMatch(pattern: RegExp): boolean {
    for (const path of this.paths) if (pattern.test(path)) return true;
    return false;
  }

  /** The package.json of a folder ("" is the root); undefined when there is none. */
  manifest(folder: string): PackageManifest | undefined {
    const file = folder ? `${folder}/package.json` : "package.json";
    if (!this.has(file)) return undefined;
    const { name = "", scripts = {} } = JSON.parse(this.read(file)) as Partial<PackageManifest>;
    return { name, scripts };
  }

  /** The folder of the package with a name; undefined when no package has it. */
  packageFolder(name: string): string | undefined {
    return this.files
      .filter((file) => file.endsWith("/package.json"))
      .map((file) => file.slice(0, -"/package.json".length))
      .find((folder) => this.manifest(folder)?.name === name);
  }
}
