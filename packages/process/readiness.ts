import { readFileSync } from "node:fs";
import type { ChildProcess } from "./childProcess";
import { formatDuration, TimeoutError, waitUntil } from "./wait";

/** A child process exited, or did not become ready in time. The message ends with the last lines of its log. */
export class NotReadyError extends Error {
  constructor(child: ChildProcess, problem: string) {
    const log = child.logTail(20) || "(empty)";
    super(`${child.name} ${problem}. The end of ${child.logFile}:\n${log.replace(/^/gm, "  | ")}`);
    this.name = "NotReadyError";
  }
}

/** True when a GET is answered with 2xx within 2 s. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/**
 * Waits until a probe returns a truthy value. Stops the process when that takes too long, or when the probe throws.
 * @param timeoutMs time limit, ms
 * @returns the value of the probe
 * @throws NotReadyError when the process exits first, or is not ready in time
 */
export async function awaitReady<T>(
  child: ChildProcess,
  probe: () => T | Promise<T>,
  timeoutMs: number,
): Promise<Exclude<T, false | 0 | "" | null | undefined>> {
  const exited = new AbortController();
  void child.exited.then(() => exited.abort());
  try {
    return await waitUntil(`${child.name} to be ready`, probe, {
      timeoutMs,
      intervalMs: 100,
      signal: exited.signal,
    });
  } catch (error) {
    if (!child.running) {
      const { code, signal } = await child.exited;
      throw new NotReadyError(child, `exited before it was ready (${signal ?? `exit code ${code}`})`);
    }
    await child.stop();
    if (!(error instanceof TimeoutError)) throw error;
    throw new NotReadyError(child, `was not ready after ${formatDuration(timeoutMs)}`);
  }
}

/** Length of a log file in characters: where the lines of a process that is about to start begin. 0 when the file is missing. */
export function logLength(file: string): number {
  try {
    return readFileSync(file, "utf8").length;
  } catch {
    return 0;
  }
}

/**
 * Waits until a process has logged a line that says it is ready. Stops the process when that takes too long.
 * @param options.from where the lines of the process begin, from {@link logLength}
 * @param options.timeoutMs time limit, ms
 * @returns the match
 * @throws NotReadyError when the process exits first, or is not ready in time
 */
export function awaitLogLine(
  child: ChildProcess,
  pattern: RegExp,
  options: { readonly from: number; readonly timeoutMs: number },
): Promise<RegExpExecArray> {
  const probe = () => pattern.exec(readFileSync(child.logFile, "utf8").slice(options.from));
  return awaitReady(child, probe, options.timeoutMs);
}
