import { spawn } from "node:child_process";

const PERIOD_MS = 1000;

function signal(pid: number, name: "SIGSTOP" | "SIGCONT"): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has exited.
  }
}

/**
 * Lets processes run for a share of the time only.
 * @param pids the processes now; those that appear later are throttled as well
 * @param share from 0 to 1
 * @returns ends it
 */
export function throttle(pids: () => readonly number[], share: number): () => void {
  const stopped = new Set<number>();
  const release = (): void => {
    for (const pid of stopped) signal(pid, "SIGCONT");
    stopped.clear();
  };
  const stop = (): void => {
    for (const pid of pids()) {
      stopped.add(pid);
      signal(pid, "SIGSTOP");
    }
  };
  let timer: NodeJS.Timeout;
  const run = (): void => {
    release();
    timer = setTimeout(pause, share * PERIOD_MS);
  };
  const pause = (): void => {
    stop();
    timer = setTimeout(run, (1 - share) * PERIOD_MS);
  };
  pause();
  return () => {
    clearTimeout(timer);
    release();
  };
}

/** Keeps CPUs busy with processes that count. @returns ends it */
export function keepBusy(processes: number): () => void {
  const children = Array.from({ length: processes }, () =>
    spawn(process.execPath, ["-e", "for (;;) {}"], { stdio: "ignore" }),
  );
  return () => {
    for (const child of children) child.kill("SIGKILL");
  };
}
