import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { packageRootOf } from "@eventlogger/process/packageRoot";

/** How a run of the command line ended. */
export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** Besides PATH and HOME. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** SIGINT is sent when this resolves. */
  readonly interrupt?: Promise<unknown>;
}

/** Runs `eventlogger` as users do. */
export async function eventlogger(
  args: readonly string[],
  { env = {}, cwd, interrupt }: CliOptions = {},
): Promise<CliRun> {
  const child = spawn(process.execPath, [join(packageRootOf(__filename), "bin", "eventlogger.js"), ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  void interrupt?.then(() => child.kill("SIGINT"));
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, stdout, stderr };
}
