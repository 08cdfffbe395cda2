import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs, type Backoff } from "@eventlogger/process/backoff";
import type { ChildProcess } from "@eventlogger/process/childProcess";
import { NotReadyError } from "@eventlogger/process/readiness";
import { formatDuration } from "@eventlogger/process/wait";

/** How often a process that exits is restarted. */
export interface RestartPolicy {
  /** A process that exits more often than this within {@link withinMs} is given up. */
  readonly maxRestarts: number;
  /** ms. */
  readonly withinMs: number;
  /** Wait before a restart; grows with each exit within {@link withinMs}. */
  readonly backoff: Backoff;
}

/**
 * Restarts a process whenever it exits.
 * @param options.start starts it again
 * @param options.isStopping whether an exit is expected, so that nothing is restarted
 * @param options.say receives a line for each restart
 * @returns why it was given up; undefined when it is stopping
 */
export async function keepRunning(
  first: ChildProcess,
  policy: RestartPolicy,
  options: { start: () => Promise<ChildProcess>; isStopping: () => boolean; say: (line: string) => void },
): Promise<Error | undefined> {
  const { maxRestarts, withinMs, backoff } = policy;
  const { start, isStopping, say } = options;
  let child = first;
  let exits: number[] = [];
  for (;;) {
    const { code, signal } = await child.exited;
    if (isStopping()) return undefined;
    const how = `exited (${signal ?? `exit code ${code}`})`;
    const now = performance.now();
    exits = [...exits.filter((at) => at > now - withinMs), now];
    if (exits.length > maxRestarts) {
      return new NotReadyError(child, `${how} more than ${maxRestarts} times within ${formatDuration(withinMs)}`);
    }
    const waitMs = backoffMs(exits.length, backoff);
    say(`${child.name} ${how}; restarting it in ${formatDuration(Math.round(waitMs / 100) * 100)}`);
    await sleep(waitMs);
    try {
      child = await start();
    } catch (error) {
      return isStopping() ? undefined : (error as Error);
    }
  }
}
