import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { ensureGoProgram } from "../go/goProgram";
import { findGo } from "../go/toolchain";

const SOURCE = join(repositoryRoot, "packages", "beam", "boot");

/** GOROOT of a Go that can build the boot program. */
export async function findGoRoot(onProgress: (line: string) => void): Promise<string> {
  const go = await findGo(join(SOURCE, "go.mod"), onProgress);
  const { stdout } = await promisify(execFile)(go, ["env", "GOROOT"]);
  return stdout.trim();
}

/**
 * Builds the entry point of worker containers from Beam's Go module, as pipeline/Dockerfile does.
 * @returns the path of the program
 * @throws Error with the end of the output of Go
 */
export function ensureBootProgram(onProgress: (line: string) => void = () => {}): Promise<string> {
  return ensureGoProgram(
    {
      name: "boot",
      what: "Beam's boot program",
      source: SOURCE,
      package: "github.com/apache/beam/sdks/v2/typescript/container",
    },
    onProgress,
  );
}
