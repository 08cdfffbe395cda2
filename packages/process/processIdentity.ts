import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A process for sure: a pid alone may have been given to another process since. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in the words of the operating system; only compared. */
  readonly started: string;
}

function startOf(pid: number): string | undefined {
  try {
    // Field 22, counted after the command name, which may contain anything.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended and only waits for its parent to notice.
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    if (process.platform === "linux") return undefined;
  }
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** The identity of a process that runs now; undefined when there is none with this pid. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const started = startOf(pid);
  return started === undefined ? undefined : { pid, started };
}

/** Whether this very process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return startOf(identity.pid) === identity.started;
}

/**
 * Ends a process that an earlier run left behind, with its process group when it leads one: SIGTERM, then SIGKILL after
 * `graceMs`. Resolves when it has ended; at once when it is not running any more.
 */
export async function endProcess(identity: ProcessIdentity, graceMs = 2000): Promise<void> {
  const signal = (name: NodeJS.Signals): void => {
    for (const target of [-identity.pid, identity.pid]) {
      try {
        process.kill(target, name);
      } catch {
        // It leads no group, or has gone.
      }
    }
  };
  const deadline = Date.now() + graceMs;
  if (!isRunning(identity)) return;
  signal("SIGTERM");
  while (isRunning(identity)) {
    if (Date.now() > deadline) signal("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
