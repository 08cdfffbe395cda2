/** The parts of package-lock.json (version 3) that say which package finds which. */
export interface PackageLock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/**
 * What apache-beam 2.49.0 lists as its dependencies but never loads: what it was compiled and tested with. TypeScript
 * comes with some of them.
 */
const COMPILED_WITH: Readonly<Record<string, readonly string[]>> = {
  "apache-beam": ["@protobuf-ts/plugin", "chai", "date-fns", "ts-closure-transform", "ttypescript"],
};

/** Where Node finds a package from a folder: the nearest node_modules that holds it. */
function find(lock: PackageLock, from: string, name: string): string | undefined {
  for (let folder = from; folder !== ""; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const path = `${folder}/node_modules/${name}`;
    if (lock.packages[path]) return path;
  }
  const top = `node_modules/${name}`;
  return lock.packages[top] ? top : undefined;
}

/**
 * The installed packages that some packages need to run, they themselves included.
 * @param names of packages that the project's own code imports
 * @param from the workspace that imports them, by its path in the lock file; empty for the project's root
 * @returns their paths in the lock file, such as `node_modules/a/node_modules/b`, sorted
 * @throws Error naming a package that is not in the lock file
 */
export function neededPackages(lock: PackageLock, names: readonly string[], from = ""): string[] {
  const needed = new Set<string>();
  const visit = (from: string, name: string, optional: boolean): void => {
    const path = find(lock, from, name);
    if (path === undefined) {
      if (optional) return;
      throw new Error(`${from || "The project"} needs the package ${name}, which package-lock.json does not have`);
    }
    if (needed.has(path)) return;
    needed.add(path);
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = lock.packages[
      path
    ] as LockedPackage;
    for (const dependency of Object.keys(dependencies ?? {})) {
      if (!COMPILED_WITH[name]?.includes(dependency)) visit(path, dependency, false);
    }
    for (const dependency of Object.keys(optionalDependencies ?? {})) visit(path, dependency, true);
    for (const peer of Object.keys(peerDependencies ?? {})) {
      if (!peerDependenciesMeta?.[peer]?.optional) visit(path, peer, false);
    }
  };
  for (const name of names) visit(from, name, false);
  return [...needed].sort();
}
