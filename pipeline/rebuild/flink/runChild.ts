import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import path from "node:path";

/** Lines of the log that describe why the child ended. */
const TAIL_LINES = 12;

/** A pipeline that computes a generation, as a child process. It stops when this process ends, also by a kill. */
export class RunChild {
  private status: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | undefined;
  private readonly exited: Promise<void>;

  private constructor(
    readonly generation: number,
    private readonly child: ChildProcess,
    readonly logFile: string,
  ) {
    this.exited = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.status ??= { code, signal };
        resolve();
      };
      child.once("exit", end);
      child.once("error", () => end(null, null));
    });
  }

  /**
   * @param args the command line of `eventlogger`, beginning with `run`
   * @param logFile gets all output; emptied first
   */
  static start(generation: number, args: readonly string[], logFile: string): RunChild {
    mkdirSync(path.dirname(logFile), { recursive: true, mode: 0o700 });
    // A file, not a pipe: a pipe breaks when this process is killed, and the child could not log its own end.
    const log = openSync(logFile, "w", 0o600);
    try {
      const child = spawn(process.execPath, [path.join(__dirname, "childMain.js"), ...args], {
        // A process group of its own, so that Ctrl-C reaches only the command, which then stops it.
        detached: true,
        stdio: ["pipe", log, log],
      });
      return new RunChild(generation, child, logFile);
    } finally {
      closeSync(log);
    }
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get isRunning(): boolean {
    return this.status === undefined;
  }

  /** Whether it has begun to process messages. */
  get isReady(): boolean {
    return this.isRunning && /^running /m.test(this.log());
  }

  /** The end of its log, and how it ended. */
  describe(): string {
    const { status } = this;
    const ended = status ? `ended (${status.signal ?? `exit code ${status.code ?? "unknown"}`}); ` : "";
    const tail = this.log().trimEnd().split("\n").slice(-TAIL_LINES).join("\n  ");
    return `${ended}its log ${this.logFile} ends with:\n  ${tail}`;
  }

  /** Stops it gracefully. Resolves when it has ended. */
  async stop(graceMs: number): Promise<void> {
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), graceMs);
    await this.exited;
    clearTimeout(timer);
  }

  private log(): string {
    try {
      return readFileSync(this.logFile, "utf8");
    } catch {
      return "";
    }
  }
}
