import { join } from "node:path";
import { cacheDir, packageRootOf } from "@eventlogger/process/packageRoot";
import { ensureVenv, interpreterOf } from "@eventlogger/process/python/venv";

/** Where submit.py and its requirements are; neither is compiled. */
export const submitterDir = join(packageRootOf(__filename), "runners", "dataflow", "submitter");

/**
 * A Python interpreter that has Beam's Dataflow runner; its environment is made when it is absent (about a minute,
 * 500 MB).
 * @param onInstall called when it has to be made
 * @param onProgress gets the newest line of pip's output, at most once a second
 * @throws Error with the end of pip's log when it cannot be made
 */
export async function ensureSubmitter(onInstall?: () => void, onProgress?: (line: string) => void): Promise<string> {
  const requirements = join(submitterDir, "requirements.txt");
  const name = "dataflow-submitter";
  return interpreterOf(await ensureVenv({ name, cacheDir, requirements, onInstall, onProgress }));
}
