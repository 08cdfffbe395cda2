import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { startChildProcess } from "../childProcess";
import { followLog } from "../followLog";
import { findPython, type Python } from "./findPython";

export interface VenvOptions {
  /** Part of the folder's name; named in errors. */
  readonly name: string;
  /** Folder for the environments: one for each combination of requirements and Python. */
  readonly cacheDir: string;
  /** Path of a requirements.txt. */
  readonly requirements: string;
  /** Python code to run in the new environment; its argument is the folder of the environment. */
  readonly finish?: string;
  /** Called before an environment is installed. */
  readonly onInstall?: () => void;
  /** Gets the newest line of pip's output, at most once a second, while the environment is made. */
  readonly onProgress?: ((line: string) => void) | undefined;
}

const PARTIAL = /\.partial-(\d+)-\w+$/;

/** Path of the Python interpreter of an environment. */
export const interpreterOf = (venv: string): string => join(venv, "bin", "python");

/** Removes what interrupted installs have left; their names contain a process id. */
async function removeLeftovers(cacheDir: string): Promise<void> {
  for (const entry of await readdir(cacheDir)) {
    const pid = PARTIAL.exec(entry)?.[1];
    if (pid === undefined) continue;
    try {
      process.kill(Number(pid), 0);
    } catch {
      await rm(join(cacheDir, entry), { recursive: true, force: true });
    }
  }
}

async function install(python: Python, target: string, options: VenvOptions): Promise<void> {
  const logFile = join(options.cacheDir, `${options.name}-install.log`);
  const partial = `${target}.partial-${process.pid}-${randomUUID().slice(0, 8)}`;
  const run = async (command: string, args: readonly string[]): Promise<void> => {
    const child = await startChildProcess({ name: `${command} ${args[0]} ${args[1]}`, command, args, logFile });
    if (options.onProgress) followLog(child, options.onProgress);
    const { code, signal } = await child.exited;
    if (code === 0) return;
    throw new Error(
      `Cannot install ${options.name}: ${command} ${args.slice(0, 3).join(" ")} failed ` +
        `(${signal ?? `exit code ${code}`}). The end of ${logFile}:\n${child.logTail(20)}`,
    );
  };
  try {
    await run(python.command, ["-m", "venv", partial]);
    const inside = interpreterOf(partial);
    const quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"];
    await run(inside, ["-m", "pip", "install", ...quiet, "-r", options.requirements]);
    if (options.finish !== undefined) await run(inside, ["-c", options.finish, partial]);
    await rename(partial, target).catch((error: unknown) => {
      if (!existsSync(interpreterOf(target))) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/**
 * The folder of a Python environment with the given requirements; installs it when it is missing. An install happens
 * under another name and is renamed when it is complete: an interrupted install is never used, and of two concurrent
 * installs the first to finish wins.
 * @throws Error with the end of pip's log when the install fails
 */
export async function ensureVenv(options: VenvOptions): Promise<string> {
  const python = await findPython();
  if (!python?.canCreateEnvironments) throw new Error("Python 3.11 or newer with its venv module is required");
  const hash = createHash("sha256")
    .update(readFileSync(options.requirements))
    .update(`${options.finish} ${python.version} ${process.platform} ${process.arch}`)
    .digest("hex");
  const target = join(options.cacheDir, `${options.name}-${hash.slice(0, 12)}`);
  if (existsSync(interpreterOf(target))) return target;
  const broken = existsSync(target); // its Python was removed
  options.onInstall?.();
  await mkdir(options.cacheDir, { recursive: true });
  await removeLeftovers(options.cacheDir);
  if (broken) await rm(target, { recursive: true, force: true });
  await install(python, target, options);
  return target;
}
