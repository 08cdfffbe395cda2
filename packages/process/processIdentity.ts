import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Identifies a process. A pid alone is not enough: the system may have given it to another process. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time as the operating system reports it; only compared for equality. */
  readonly started: string;
}

function startOf(pid: number): string | undefined {
  try {
    // Field 22, counted after the command name, which may contain anything.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has exited.
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

/** The identity of a running process; undefined when no process has this pid. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const started = startOf(pid);
  return started === undefined ? undefined : { pid, started };
}

/** Whether the process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return startOf(identity.pid) === identity.started;
}

/**
 * Stops a process that an earlier run left behind, and its process group when it leads one: SIGTERM, then SIGKILL after
 * `graceMs`. Resolves when the process has exited; immediately when it no longer runs.
 */
export async function endProcess(identity: ProcessIdentity, graceMs = 2000): Promise<void> {
  const signal = (name: NodeJS.Signals): void => {
    for (const target of [-identity.pid, identity.pid]) {
      try {
        process.kill(target, name);
      } catch {
        // It leads no group, or has exited.
      }
    }
  };
  const deadline = performance.now() + graceMs;
  if (!isRunning(identity)) return;
  signal("SIGTERM");
  while (isRunning(identity)) {
    if (performance.now() > deadline) signal("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
