import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import path = require("node:path");
import { cacheDir } from "../packageRoot";

/** The versions besides the one that runs the tests. */
export const NODE_VERSIONS = ["22.22.0", "24.21.0"] as const;

/**
 * The path of another version of Node, from npm's `node-<platform>-<architecture>` packages, which carry the binary. It is
 * kept out of the project's own dependencies: as one of them it would become `node_modules/.bin/node`, and so the Node
 * that every npm script runs on. (The npm package `node` fetches the same package in an install script.)
 *
 * @throws Error with what npm said
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
    if (!existsSync(binary)) throw error; // else another process was first
    rmSync(installing, { recursive: true, force: true });
  }
  return binary;
}
