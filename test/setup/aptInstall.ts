import { spawn, spawnSync } from "node:child_process";
import type { OnProgress } from "@eventlogger/options/progress";

/** Runs apt-get in a folder. @returns the last line of its output when it fails, otherwise undefined */
function aptGet(args: readonly string[], onProgress: OnProgress, cwd?: string): Promise<string | undefined> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const child = spawn("apt-get", args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let lastLine = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      const line = chunk.trim().split("\n").at(-1)?.trim();
      if (line) onProgress((lastLine = line));
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code === 0 ? undefined : lastLine));
  });
}

/** Why packages cannot be installed here without a password; undefined when they can. */
function aptObstacle(): string | undefined {
  if (process.getuid?.() !== 0) return "installing it needs root";
  return spawnSync("apt-get", ["--version"]).status === 0 ? undefined : "apt-get is missing";
}

/**
 * Installs Debian packages with apt-get.
 * @returns why that failed; undefined when the packages are installed
 */
export async function aptInstall(names: readonly string[], onProgress: OnProgress): Promise<string | undefined> {
  const obstacle = aptObstacle();
  if (obstacle !== undefined) return obstacle;
  for (const args of [["update"], ["install", "--yes", "--no-install-recommends", ...names]]) {
    onProgress(`apt-get ${args.join(" ")}`);
    const problem = await aptGet(args, onProgress);
    if (problem !== undefined) return `apt-get ${args[0]} failed: ${problem}`;
  }
  return undefined;
}

/**
 * Downloads a Debian package without installing it, which needs no root when the lists of packages are there.
 * @param folder where the file `NAME_….deb` is written
 * @returns why that failed; undefined when the file is there
 */
export async function aptDownload(name: string, folder: string, onProgress: OnProgress): Promise<string | undefined> {
  if (spawnSync("apt-get", ["--version"]).status !== 0) return "apt-get is missing";
  if (process.getuid?.() === 0) await aptGet(["update"], onProgress);
  onProgress(`apt-get download ${name}`);
  const problem = await aptGet(["download", name], onProgress, folder);
  return problem === undefined ? undefined : `apt-get download failed: ${problem}`;
}

/**
 * Installs a Debian package where that needs no password; otherwise prints how to install it.
 * @param without what happens without the package, such as `tests that need it fail`
 * @param print gets a line when the package is not installed
 */
export async function aptInstallOrPrint(
  name: string,
  without: string,
  onProgress: OnProgress,
  print: (line: string) => void,
): Promise<void> {
  const problem = await aptInstall([name], onProgress);
  if (problem !== undefined) print(`${name} is not installed (apt-get install ${name}), ${problem}: ${without}`);
}
