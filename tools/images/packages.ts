/** The parts of package-lock.json (version 3) that define how packages are resolved. */
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
 * Dependencies of apache-beam 2.49.0 that it never loads, because only its build and its tests need them. Some of them
 * depend on TypeScript.
 */
const BUILD_DEPENDENCIES: Readonly<Record<string, readonly string[]>> = {
  "apache-beam": ["@protobuf-ts/plugin", "chai", "date-fns", "ts-closure-transform", "ttypescript"],
};

/** Resolves a package as Node does: in the nearest node_modules that contains it. */
function find(lock: PackageLock, from: string, name: string): string | undefined {
  for (let folder = from; folder !== ""; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const path = `${folder}/node_modules/${name}`;
    if (lock.packages[path]) return path;
  }
  const top = `node_modules/${name}`;
  return lock.packages[top] ? top : undefined;
}

/**
 * The installed packages that some packages need to run, including themselves.
 * @param names of packages that code of the project imports
 * @param from path of the importing workspace; empty for the root
 * @returns their paths in the lock file, such as `node_modules/a/node_modules/b`, sorted
 * @throws Error naming a package that is not in the lock file
 */
export function neededPackages(lock: PackageLock, names: readonly string[], from = ""): string[] {
  const needed = new Set<string>();
  const visit = (from: string, name: string, optional: boolean): void => {
    const path = find(lock, from, name);
    if (path === undefined) {
      if (optional) return;
      throw new Error(`${from || "The project"} needs the package ${name}, which is not in package-lock.json`);
    }
    if (needed.has(path)) return;
    needed.add(path);
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = lock.packages[
      path
    ] as LockedPackage;
    for (const dependency of Object.keys(dependencies ?? {})) {
      if (!BUILD_DEPENDENCIES[name]?.includes(dependency)) visit(path, dependency, false);
    }
    for (const dependency of Object.keys(optionalDependencies ?? {})) visit(path, dependency, true);
    for (const peer of Object.keys(peerDependencies ?? {})) {
      if (!peerDependenciesMeta?.[peer]?.optional) visit(path, peer, false);
    }
  };
  for (const name of names) visit(from, name, false);
  return [...needed].sort();
}
