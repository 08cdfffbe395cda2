import { spawn, type ChildProcess as NodeChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export interface ChildProcessOptions {
  /** Name for error messages, such as `job server`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to the environment of this process; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** File to which standard output and standard error are appended. */
  readonly logFile: string;
  /** Receives the lines of standard output, which then is not written to the file. */
  readonly onLine?: (line: string) => void;
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child process that logs to a file. It is stopped together with every process that it started. */
export interface ChildProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process has exited; never rejects. */
  readonly exited: Promise<ExitStatus>;
  readonly running: boolean;
  /**
   * Sends SIGTERM to the process group, and SIGKILL after `graceMs` (default 5000). Resolves when the process has exited.
   * May be called more than once.
   */
  stop(graceMs?: number): Promise<ExitStatus>;
  /** The last lines of the log file (default 20), for error messages. */
  logTail(lines?: number): string;
}

const running = new Set<number>();

/** Kills every process that {@link startChildProcess} started and that still runs, with everything it started. */
export function killRunningChildren(): void {
  for (const pid of running) signalGroup(pid, "SIGKILL");
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group no longer exists.
  }
}

/**
 * Starts a process in its own process group, so that Ctrl-C on the terminal does not reach it: its owner stops it.
 * @throws Error that names the command when it cannot be started
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
    // "close" follows the last line of standard output.
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
          signalGroup(pid, "SIGKILL"); // processes that it left behind
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
