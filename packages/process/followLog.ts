import type { ChildProcess } from "./childProcess";

/**
 * Reports what a child process writes to its log: the newest line, at most once a second and only when it has changed,
 * until the process exits. For progress, not for reading every line.
 */
export function followLog(child: ChildProcess, onLine: (line: string) => void, intervalMs = 1000): void {
  let last = "";
  const timer = setInterval(() => {
    const line = child.logTail(1).trim();
    if (line && line !== last) onLine(line);
    last = line;
  }, intervalMs);
  void child.exited.then(() => clearInterval(timer));
}
