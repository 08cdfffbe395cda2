import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { ChildProcess } from "./childProcess";

/** Length of a log file; where the lines of a process that is about to be started begin. 0 when there is none yet. */
export function logLength(file: string): number {
  try {
    return readFileSync(file, "utf8").length;
  } catch {
    return 0;
  }
}

/**
 * Waits until a process has logged a line that says it is ready. A process that does not get there is stopped.
 *
 * @param options.from where its lines begin, from {@link logLength}
 * @returns the match
 * @throws Error with the end of its log when it ends or takes too long
 */
export async function awaitLogLine(
  child: ChildProcess,
  pattern: RegExp,
  options: { readonly from: number; readonly timeoutMs: number },
): Promise<RegExpExecArray> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    const match = pattern.exec(readFileSync(child.logFile, "utf8").slice(options.from));
    if (match) return match;
    if (!child.running || Date.now() >= deadline) {
      const what = child.running ? "did not start in time" : "ended while starting";
      await child.stop();
      throw new Error(`The ${child.name} ${what}. The end of ${child.logFile}:\n${child.logTail()}`);
    }
    await setTimeout(100);
  }
}
