import { execFile } from "node:child_process";

/** The result of {@link tryCommand}. */
export interface CommandResult {
  /** The exit code; undefined when the command does not exist or took too long. */
  readonly code: number | undefined;
  /** Standard output, then standard error. */
  readonly output: string;
}

/**
 * Runs a short command; never rejects.
 * @param timeoutMs time limit, ms
 */
export function tryCommand(command: string, args: readonly string[], timeoutMs = 30_000): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: timeoutMs, encoding: "utf8" }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : undefined;
      resolve({ code, output: stdout + stderr });
    });
  });
}
