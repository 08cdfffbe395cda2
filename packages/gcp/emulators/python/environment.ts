import { join } from "node:path";
import { cacheDir, packageRootOf } from "@eventlogger/process/packageRoot";
import { ensureVenv, interpreterOf } from "@eventlogger/process/python/venv";

/** The Python environment of the BigQuery emulator. */
export interface PythonEnvironment {
  /** Path of the interpreter. */
  readonly python: string;
  /** Home directory for the emulator. DuckDB looks for its extensions there. */
  readonly home: string;
}

/** Copies the spatial extension to where DuckDB looks for it. Otherwise DuckDB would download it. */
const INSTALL_SPATIAL = `
import duckdb, duckdb_extension_spatial, pathlib, shutil, sys
platform = duckdb.sql("PRAGMA platform").fetchone()[0]
version = duckdb.sql("SELECT library_version FROM pragma_version()").fetchone()[0]
source = pathlib.Path(duckdb_extension_spatial.__file__).parent / "extensions" / version / "spatial.duckdb_extension"
target = pathlib.Path(sys.argv[1]) / "home" / ".duckdb" / "extensions" / version / platform
target.mkdir(parents=True)
shutil.copy(source, target)
`;

/**
 * The environment of the BigQuery emulator. Creates it in the cache directory if necessary (about a minute).
 * @param onInstall called before the environment is created
 * @param onProgress receives the newest line of pip's output, at most once a second
 * @throws Error with the end of pip's log when the environment cannot be created
 */
export async function ensurePythonEnvironment(
  onInstall?: () => void,
  onProgress?: (line: string) => void,
): Promise<PythonEnvironment> {
  const venv = await ensureVenv({
    name: "bqemulator",
    cacheDir,
    requirements: join(packageRootOf(__filename), "emulators", "python", "requirements.txt"),
    finish: INSTALL_SPATIAL,
    onInstall,
    onProgress,
  });
  return { python: interpreterOf(venv), home: join(venv, "home") };
}
