import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { OnProgress } from "@eventlogger/options/progress";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { aptDownload } from "../../setup/aptInstall";

/** The programs of the Debian package `prometheus` that tests run. */
type Program = "prometheus" | "promtool";

const PACKAGE = "prometheus";
/** The unpacked programs of the package. It is not installed, because its installation starts a service. */
const UNPACKED = join(cacheDir, "prometheus");

/** A program of Prometheus, on the path or unpacked by {@link ensurePrometheus}; undefined: missing. */
function find(program: Program): string | undefined {
  const dirs = [...(process.env.PATH ?? "").split(delimiter).filter(Boolean), join(UNPACKED, "usr", "bin")];
  return dirs.map((dir) => join(dir, program)).find((file) => existsSync(file));
}

/** @throws Error that tells how to get the program when it is missing */
export function findProgram(program: Program): string {
  const found = find(program);
  if (found === undefined) {
    throw new Error(`${program} is missing. Install Prometheus, such as by apt-get install prometheus`);
  }
  return found;
}

/** Unpacks the programs of a Debian package. @returns why that failed; undefined when they are in `folder` */
function unpack(deb: string, folder: string): string | undefined {
  const { stdout, status, stderr } = spawnSync("dpkg-deb", ["--fsys-tarfile", deb], { maxBuffer: 1 << 29 });
  if (status !== 0) return `dpkg-deb failed: ${stderr.toString().trim()}`;
  const tar = spawnSync("tar", ["-x", "-C", folder, "./usr/bin"], { input: stdout, encoding: "utf8" });
  return tar.status === 0 ? undefined : `tar failed: ${tar.stderr.trim()}`;
}

/** Downloads and unpacks Prometheus and promtool, 19 MB, where there is apt-get; otherwise prints how to install them. */
export async function ensurePrometheus(onProgress: OnProgress, print: (line: string) => void): Promise<void> {
  if (find("prometheus") !== undefined && find("promtool") !== undefined) return;
  mkdirSync(cacheDir, { recursive: true });
  const partial = mkdtempSync(join(cacheDir, "prometheus-"));
  try {
    const problem = (await aptDownload(PACKAGE, partial, onProgress)) ?? unpackDownload(partial);
    if (problem === undefined) renameSync(partial, UNPACKED);
    else print(`${PACKAGE} is not installed (apt-get install ${PACKAGE}), ${problem}: tests that need it fail`);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

function unpackDownload(folder: string): string | undefined {
  const deb = readdirSync(folder).find((name) => name.endsWith(".deb"));
  if (deb === undefined) return "apt-get has downloaded nothing";
  const problem = unpack(join(folder, deb), folder);
  rmSync(join(folder, deb));
  return problem;
}
