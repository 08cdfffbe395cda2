import { join } from "node:path";
import { cacheDir, packageRootOf } from "@eventlogger/process/packageRoot";
import { ensureVenv, interpreterOf } from "@eventlogger/process/python/venv";

/** Folder of submit.py and its requirements, which are not compiled. */
export const submitterDir = join(packageRootOf(__filename), "runners", "dataflow", "submitter");

/**
 * A Python interpreter with Beam's Dataflow runner. Creates its environment if necessary (about a minute, 500 MB).
 * @param onInstall called before the environment is created
 * @param onProgress receives the newest line of pip's output, at most once a second
 * @throws Error with the end of pip's log when the environment cannot be created
 */
export async function ensureSubmitter(onInstall?: () => void, onProgress?: (line: string) => void): Promise<string> {
  const requirements = join(submitterDir, "requirements.txt");
  const name = "dataflow-submitter";
  return interpreterOf(await ensureVenv({ name, cacheDir, requirements, onInstall, onProgress }));
}
