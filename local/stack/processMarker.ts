import { readdirSync, readFileSync } from "node:fs";

/** Environment variable with the id of a stack. All processes of the stack inherit it, so that none is left behind. */
export const MARKER_VARIABLE = "EVENTLOGGER_STACK";

/**
 * The ids of the processes of a stack. Works on Linux only, elsewhere the list is empty. It never contains nginx, which
 * overwrites its environment.
 * @param id of the stack
 */
export function markedProcesses(id: string): number[] {
  let entries: string[];
  try {
    entries = readdirSync("/proc");
  } catch {
    return [];
  }
  const wanted = `${MARKER_VARIABLE}=${id}`;
  return entries
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(wanted);
      } catch {
        return false; // it has exited, or belongs to another user
      }
    })
    .map(Number);
}

/** Kills the processes of a stack that are still running. @returns how many there were */
export async function killMarkedProcesses(id: string): Promise<number> {
  let killed = 0;
  // Repeated, because one of them may just have started another.
  for (let round = 0; round < 20; round++) {
    const pids = markedProcesses(id);
    if (pids.length === 0) break;
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
        killed++;
      } catch {
        // It has exited.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return killed;
}
