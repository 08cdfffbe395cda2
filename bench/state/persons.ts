import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { promisify } from "node:util";

/** Persons whose state is measured, as the program that fills a cache names them. */
const KINDS = [
  "users with one day",
  "users with several days",
  "users with years of days",
  "users with contributed days",
  "anonymous ids with one day",
  "anonymous ids with a user",
] as const;

const ENTRIES = 20_000;

interface Filled {
  readonly cells: number;
  readonly used: number;
  readonly stored: number;
}

/** The size of the state of one person of each kind: as it is stored, and while it is in a worker. One line each. */
export async function personSizes(): Promise<string[]> {
  const program = createRequire(__filename).resolve("@eventlogger/pipeline/testing/fillStateCache");
  const lines: string[] = [];
  for (const kind of KINDS) {
    const args = ["--expose-gc", program, kind, String(ENTRIES), "Infinity"];
    const { cells, used, stored } = JSON.parse((await promisify(execFile)(process.execPath, args)).stdout) as Filled;
    lines.push(
      `${kind}: ${stored} bytes of state, ${Math.round(used / cells)} bytes in a worker during a bundle, each`,
    );
  }
  return lines;
}
