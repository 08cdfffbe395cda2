import { execFile } from "node:child_process";

export interface CommandResult {
  /** Undefined when the command does not exist or did not end in time. */
  readonly code: number | undefined;
  /** Standard output and standard error together. */
  readonly output: string;
}

/** Runs a short command; never throws. */
export function tryCommand(command: string, args: readonly string[], timeoutMs = 20_000): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(command, [...args], { timeout: timeoutMs, encoding: "utf8" }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : undefined;
      resolve({ code, output: stdout + stderr });
    });
  });
}
