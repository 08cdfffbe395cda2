import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { waitUntil } from "@eventlogger/process/wait";

const BIN = path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js");

export interface RebuildRun {
  /** Null when it was killed. */
  readonly code: number | null;
  readonly output: string;
}

export interface RebuildOptions {
  readonly env: Readonly<Record<string, string>>;
  /** File for its output; emptied first. */
  readonly logFile: string;
  readonly timeoutMs: number;
  /** The phase in which the process gets SIGKILL, such as `replaying`. */
  readonly killAt?: string;
}

/** Runs `eventlogger rebuild`, or kills it in a phase. @throws TimeoutError with its output */
export async function runRebuild(
  args: readonly string[],
  { env, logFile, timeoutMs, killAt }: RebuildOptions,
): Promise<RebuildRun> {
  rmSync(logFile, { force: true });
  const child = await startChildProcess({
    name: "eventlogger rebuild",
    command: process.execPath,
    args: [BIN, "rebuild", ...args],
    env,
    logFile,
  });
  try {
    if (killAt !== undefined) await killIn(child, killAt, timeoutMs);
    const limits = { timeoutMs, intervalMs: 100, details: () => child.logTail(40) };
    await waitUntil(`the end of the rebuild`, () => !child.running, limits);
    const { code } = await child.exited;
    return { code, output: readFileSync(logFile, "utf8") };
  } finally {
    await child.stop(0);
  }
}

/** Kills only the process itself: what it has started must notice by itself. */
async function killIn(child: ChildProcess, phase: string, timeoutMs: number): Promise<void> {
  const line = new RegExp(`^\\[\\d/\\d\\] ${phase}$`, "m");
  await waitUntil(
    `the phase ${phase}`,
    () => {
      if (!child.running) throw new Error(`The rebuild ended before the phase ${phase}:\n${child.logTail(40)}`);
      return line.test(child.logTail(1000));
    },
    { timeoutMs, intervalMs: 10, details: () => child.logTail(40) },
  );
  process.kill(child.pid, "SIGKILL");
}
