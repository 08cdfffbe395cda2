import { readdirSync, readFileSync } from "node:fs";

/** Environment variable that marks every process of a stack, and what they start in turn, with the stack's id. */
export const MARK = "EVENTLOGGER_STACK";

/** The processes that carry a mark, on Linux; elsewhere none are found, nor is nginx, which writes over it. */
export function markedProcesses(id: string): number[] {
  let entries: string[];
  try {
    entries = readdirSync("/proc");
  } catch {
    return [];
  }
  const wanted = `${MARK}=${id}`;
  return entries
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(wanted);
      } catch {
        return false; // it has gone, or belongs to somebody else
      }
    })
    .map(Number);
}

/** Kills whatever a stack's processes left behind. Returns how many there were. */
export async function killMarked(id: string): Promise<number> {
  let killed = 0;
  // Again, for one of them may just have started another.
  for (let round = 0; round < 20; round++) {
    const pids = markedProcesses(id);
    if (pids.length === 0) break;
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
        killed++;
      } catch {
        // It has gone.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return killed;
}
