import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { cacheDir } from "../packageRoot";

/** Versions of Node that tests run on, besides the one that runs the tests. */
export const NODE_VERSIONS = ["22.22.0", "24.21.0"] as const;

/**
 * The path of the binary of another version of Node. Installs it into the cache from npm's package
 * `node-<platform>-<architecture>` when it is missing. The package is no dependency of the project: npm would link it to
 * `node_modules/.bin/node`, and every npm script would run on it.
 *
 * @throws Error with the output of npm when the install fails
 */
export function ensureNode(version: string): string {
  const name = `node-${process.platform}-${process.arch}`;
  const target = path.join(cacheDir, `${name}-${version}`);
  const binary = path.join(target, "node_modules", name, "bin/node");
  if (existsSync(binary)) return binary;
  const installing = `${target}.${process.pid}`;
  mkdirSync(installing, { recursive: true });
  const args = ["install", "--prefix", installing, "--no-save", "--ignore-scripts", `${name}@${version}`];
  const { status, stderr } = spawnSync("npm", args, { encoding: "utf8" });
  if (status !== 0) {
    rmSync(installing, { recursive: true, force: true });
    throw new Error(`npm could not install ${name}@${version}: ${stderr}`);
  }
  try {
    renameSync(installing, target);
  } catch (error) {
    if (!existsSync(binary)) throw error; // otherwise another process was first
    rmSync(installing, { recursive: true, force: true });
  }
  return binary;
}
