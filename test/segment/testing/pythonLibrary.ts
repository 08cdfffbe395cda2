import { join } from "node:path";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { ensureVenv, interpreterOf } from "@eventlogger/process/python/venv";
import { runSender, type Sender } from "./sender";

const FOLDER = join(repositoryRoot, "test", "segment", "python");

/** The Python with segment-analytics-python. Installs it with pip when it is missing. */
export async function ensurePythonLibrary(onProgress?: (line: string) => void): Promise<string> {
  const requirements = join(FOLDER, "requirements.txt");
  return interpreterOf(await ensureVenv({ name: "segment-python", cacheDir, requirements, onProgress }));
}

/** Sends with segment-analytics-python. */
export const sendWithPython: Sender = async (task) =>
  runSender("python", await ensurePythonLibrary(), [join(FOLDER, "send.py")], task);
