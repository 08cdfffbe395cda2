import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { startChildProcess } from "@eventlogger/process/childProcess";
import { followLog } from "@eventlogger/process/followLog";
import { findGo } from "./toolchain";

/** A program that is built from a Go module. */
export interface GoProgram {
  /** Name of the program, and the beginning of its file name in the cache. */
  readonly name: string;
  /** What is built, for messages: `Beam's boot program`. */
  readonly what: string;
  /** Folder with go.mod, go.sum and, where the program is our own, its sources. */
  readonly source: string;
  /** The package that is built, such as `example.org/module/command`. */
  readonly package: string;
}

/**
 * Builds a program from its Go module, with the checksums of go.sum. The first time this takes a minute or two; later calls find the
 * result.
 * @returns the path of the program
 * @throws Error with the end of the output of Go
 */
export async function ensureGoProgram(
  program: GoProgram,
  onProgress: (line: string) => void = () => {},
): Promise<string> {
  const { name, what, source } = program;
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}`);
  for (const file of readdirSync(source).filter((file) => /^go\.(mod|sum)$|\.go$/.test(file)))
    hash.update(readFileSync(join(source, file)));
  const target = join(cacheDir, `${name}-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(target)) return target;
  await mkdir(cacheDir, { recursive: true });
  const go = await findGo(join(source, "go.mod"), onProgress);
  onProgress(`building ${what} (once, a minute or two)`);
  const partial = `${target}.${process.pid}`;
  const child = await startChildProcess({
    name: "go build",
    command: go,
    args: ["build", "-v", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", partial, program.package],
    cwd: source,
    env: { CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOWORK: "off" },
    logFile: join(cacheDir, `${name}-build.log`),
  });
  followLog(child, onProgress);
  const { code, signal } = await child.exited;
  if (code !== 0) {
    throw new Error(
      `Cannot build ${what} (${signal ?? `exit code ${code}`}). The end of ${child.logFile}:\n` + child.logTail(),
    );
  }
  await rename(partial, target); // an interrupted build leaves no incomplete file
  return target;
}
