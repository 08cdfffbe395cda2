import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { startChildProcess } from "../../pipeline/beam/process/childProcess";
import { cacheDir, packageRoot } from "../packageRoot";
import { findPython, type Python } from "../toolchain";

const REQUIREMENTS = join(packageRoot, "local", "python", "requirements.txt");

/** A Python environment that holds the BigQuery emulator. */
export interface PythonEnvironment {
  /** The interpreter. */
  readonly python: string;
  /** Home directory for the emulator: duckdb looks there for its extensions. */
  readonly home: string;
}

/** Copies the spatial extension to where duckdb looks for it; otherwise it would download it. */
const INSTALL_SPATIAL = `
import duckdb, duckdb_extension_spatial, pathlib, shutil, sys
platform = duckdb.sql("PRAGMA platform").fetchone()[0]
version = duckdb.sql("SELECT library_version FROM pragma_version()").fetchone()[0]
source = pathlib.Path(duckdb_extension_spatial.__file__).parent / "extensions" / version / "spatial.duckdb_extension"
target = pathlib.Path(sys.argv[1]) / ".duckdb" / "extensions" / version / platform
target.mkdir(parents=True)
shutil.copy(source, target)
`;

/** Takes away what installs that were cut off have left (their names carry the process id). */
async function removeLeftovers(): Promise<void> {
  for (const entry of await readdir(cacheDir)) {
    const pid = /^bqemulator-.*\.partial-(\d+)-/.exec(entry)?.[1];
    if (pid === undefined) continue;
    try {
      process.kill(Number(pid), 0);
    } catch {
      await rm(join(cacheDir, entry), { recursive: true, force: true });
    }
  }
}

async function install(python: Python, target: string, logFile: string): Promise<void> {
  // Made under another name and renamed when whole: an install that was cut off is never taken for a good one, and of
  // two installs at the same time the second to finish gives way.
  const partial = `${target}.partial-${process.pid}-${randomUUID().slice(0, 8)}`;
  const run = async (command: string, args: readonly string[]): Promise<void> => {
    const child = await startChildProcess({ name: `${command} ${args[0]} ${args[1]}`, command, args, logFile });
    const { code, signal } = await child.exited;
    if (code === 0) return;
    throw new Error(
      `Cannot install the BigQuery emulator: ${command} ${args.slice(0, 3).join(" ")} failed ` +
        `(${signal ?? `exit code ${code}`}). The end of ${logFile}:\n${child.logTail(20)}`,
    );
  };
  try {
    await run(python.command, ["-m", "venv", partial]);
    const inside = join(partial, "bin", "python");
    await run(inside, ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", REQUIREMENTS]);
    await run(inside, ["-c", INSTALL_SPATIAL, join(partial, "home")]);
    await rename(partial, target).catch((error: unknown) => {
      if (!existsSync(target)) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/**
 * The environment for the pinned requirements, made under the cache directory when it is absent (about a minute).
 * @param onInstall called when it has to be made.
 * @throws Error with the end of pip's log when it cannot be made.
 */
export async function ensurePythonEnvironment(onInstall: () => void = () => {}): Promise<PythonEnvironment> {
  const python = await findPython();
  if (!python?.canMakeEnvironments) throw new Error("Python 3.11 or newer with its venv module is needed");
  const hash = createHash("sha256")
    .update(readFileSync(REQUIREMENTS))
    .update(`${python.version} ${process.platform} ${process.arch}`)
    .digest("hex");
  const target = join(cacheDir, `bqemulator-${hash.slice(0, 12)}`);
  const environment = { python: join(target, "bin", "python"), home: join(target, "home") };
  if (existsSync(environment.python)) return environment;
  onInstall();
  await mkdir(cacheDir, { recursive: true });
  await removeLeftovers();
  await rm(target, { recursive: true, force: true }); // its interpreter was taken away
  await install(python, target, join(cacheDir, "bqemulator-install.log"));
  return environment;
}
