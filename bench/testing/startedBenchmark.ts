import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killMarkedProcesses, MARKER_VARIABLE, markedProcesses } from "@eventlogger/local/stack/processMarker";
import { waitUntil } from "@eventlogger/process/wait";

/** A benchmark in a process of its own. Every process that it starts, at any depth, is found by a variable it inherits. */
export class StartedBenchmark {
  /** The temporary folder of the benchmark. */
  readonly directory = mkdtempSync(join(tmpdir(), "started-benchmark-"));
  /** Resolves with the exit code, or the name of the signal. */
  readonly exited: Promise<number | string | null>;
  output = "";
  private readonly marker = randomUUID();
  private readonly child: ChildProcess;

  /** @param program compiled main module */
  constructor(program: string, args: readonly string[]) {
    const child = spawn(process.execPath, [program, ...args], {
      env: { ...process.env, TMPDIR: this.directory, [MARKER_VARIABLE]: this.marker },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
    }
    this.exited = new Promise((resolve) => child.once("close", (code, signal) => resolve(signal ?? code)));
  }

  /** Waits for a text in the output. @param timeoutMs time limit, ms */
  prints(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    return waitUntil(`${pattern} in the output`, () => pattern.exec(this.output), {
      timeoutMs,
      details: () => this.output.slice(-4000),
    });
  }

  /** Sends a signal to the benchmark only, not to the processes that it has started. */
  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Ids of the running processes of the benchmark, itself included. */
  processes(): number[] {
    return markedProcesses(this.marker);
  }

  /** Names in the temporary folder. */
  leftFiles(): string[] {
    return readdirSync(this.directory);
  }

  /** Kills what still runs and removes the folder. */
  async close(): Promise<void> {
    await killMarkedProcesses(this.marker);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
