import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";

/** How a run of the command line ended. */
export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** Besides PATH and HOME. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** SIGINT is sent when this resolves. */
  readonly interrupt?: Promise<unknown>;
}

/** What a running process has written to a stream. */
export class WrittenText {
  text = "";

  private isClosed = false;

  constructor(private readonly stream: NodeJS.ReadableStream) {
    stream.setEncoding("utf8").on("data", (chunk: string) => (this.text += chunk));
    stream.once("close", () => (this.isClosed = true));
  }

  /** Resolves when the text matches. @throws Error with the text when the stream ends before */
  async includes(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      if (this.isClosed) throw new Error(`The output ended without ${pattern}: ${this.text}`);
      await Promise.race([once(this.stream, "data"), once(this.stream, "close")]);
    }
  }
}

/** A command that runs. */
export interface RunningCommand {
  readonly stdout: WrittenText;
  readonly stderr: WrittenText;
  readonly ended: Promise<CliRun>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts `eventlogger` as users do. */
export function startEventlogger(args: readonly string[], { env = {}, cwd }: CliOptions = {}): RunningCommand {
  const child: ChildProcess = spawn(
    process.execPath,
    [join(packageRootOf(__filename), "bin", "eventlogger.js"), ...args],
    { env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env }, cwd, stdio: ["ignore", "pipe", "pipe"] },
  );
  const stdout = new WrittenText(child.stdout as NodeJS.ReadableStream);
  const stderr = new WrittenText(child.stderr as NodeJS.ReadableStream);
  const ended = new Promise<CliRun>((resolve) =>
    child.once("close", (code) => resolve({ code, stdout: stdout.text, stderr: stderr.text })),
  );
  return { stdout, stderr, ended, kill: (signal) => void child.kill(signal) };
}

/** Runs `eventlogger` as users do. */
export async function eventlogger(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const command = startEventlogger(args, options);
  void options.interrupt?.then(() => command.kill("SIGINT"));
  return command.ended;
}
