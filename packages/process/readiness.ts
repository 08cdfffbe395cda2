import { setTimeout as sleep } from "node:timers/promises";
import type { ChildProcess } from "./childProcess";

/** A process of the stack that ended, or did not become ready in time; the message carries the end of its log. */
export class NotReadyError extends Error {
  constructor(child: ChildProcess, what: string) {
    super(`${child.name} ${what}. The end of ${child.logFile}:\n${indent(child.logTail(20) || "(empty)")}`);
    this.name = "NotReadyError";
  }
}

function indent(text: string): string {
  return text.replace(/^/gm, "  | ");
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
 * Waits until a process is ready as `probe` tells. Stops the process when it is not ready in time.
 * @throws NotReadyError when it ends before, or is not ready after `deadlineMs`.
 */
export async function awaitReady(
  child: ChildProcess,
  probe: () => Promise<boolean>,
  deadlineMs: number,
): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (Date.now() < end) {
    if (!child.running) {
      const { code, signal } = await child.exited;
      throw new NotReadyError(child, `ended before it was ready (${signal ?? `exit code ${code}`})`);
    }
    if (await probe()) return;
    await Promise.race([sleep(100), child.exited]);
  }
  await child.stop();
  throw new NotReadyError(child, `was not ready after ${Math.round(deadlineMs / 1000)} s`);
}
