import { spawn, type ChildProcess as NodeChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export interface ChildProcessOptions {
  /** Short name for messages, such as `job server`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to the environment of this process; undefined takes a variable out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** File that standard output and standard error are appended to. */
  readonly logFile: string;
  /** Gets the lines of standard output, which then does not go to the file. */
  readonly onLine?: (line: string) => void;
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child process that logs to a file, whose end can be awaited, and that is stopped with all it started. */
export interface ChildProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<ExitStatus>;
  readonly running: boolean;
  /**
   * SIGTERM to the process group, SIGKILL after `graceMs` (default 5000). Resolves when the process has ended. Safe to
   * repeat.
   */
  stop(graceMs?: number): Promise<ExitStatus>;
  /** The last lines of the log file, for error messages. */
  logTail(lines?: number): string;
}

const running = new Set<number>();

/** Ends every process that was started here and still runs, with all they started: for a way out at once. */
export function killRunningChildren(): void {
  for (const pid of running) signalGroup(pid, "SIGKILL");
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has gone already.
  }
}

/**
 * Starts a process in a process group of its own (a Ctrl-C on the terminal does not reach it: its owner stops it, in
 * order).
 * @throws Error naming the command when it cannot be started.
 */
export async function startChildProcess(options: ChildProcessOptions): Promise<ChildProcess> {
  const log = openSync(options.logFile, "a");
  const env: NodeJS.ProcessEnv = { ...process.env, ...options.env };
  let child: NodeChildProcess;
  try {
    child = spawn(options.command, [...options.args], {
      cwd: options.cwd,
      env,
      detached: true,
      stdio: ["ignore", options.onLine ? "pipe" : log, log],
    });
    if (child.stdout && options.onLine) createInterface(child.stdout).on("line", options.onLine);
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
  } catch (cause) {
    throw new Error(`Cannot start ${options.name} (${options.command})`, { cause });
  } finally {
    closeSync(log);
  }
  const pid = child.pid as number;
  running.add(pid);
  let status: ExitStatus | undefined;
  const exited = new Promise<ExitStatus>((resolve) => {
    child.once("exit", (code, signal) => {
      status = { code, signal };
      running.delete(pid);
    });
    // After the last line, where there are lines.
    child.once(options.onLine ? "close" : "exit", (code: number | null, signal: NodeJS.Signals | null) =>
      resolve({ code, signal }),
    );
  });
  let stopping: Promise<ExitStatus> | undefined;
  return {
    name: options.name,
    pid,
    logFile: options.logFile,
    exited,
    get running() {
      return status === undefined;
    },
    stop(graceMs = 5000) {
      stopping ??= (async () => {
        if (status) {
          signalGroup(pid, "SIGKILL"); // what it left behind
          return status;
        }
        signalGroup(pid, "SIGTERM");
        const timer = setTimeout(() => signalGroup(pid, "SIGKILL"), graceMs);
        const result = await exited;
        clearTimeout(timer);
        signalGroup(pid, "SIGKILL");
        return result;
      })();
      return stopping;
    },
    logTail(lines = 20) {
      try {
        return readFileSync(options.logFile, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
      } catch {
        return "";
      }
    },
  };
}
