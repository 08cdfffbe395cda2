import { execFileSync } from "node:child_process";
import type { OptionSpecs } from "@eventlogger/options/options";
import { refreshCommand } from "@eventlogger/pipeline/cli/commands/refresh";
import { verifyCommand } from "@eventlogger/pipeline/cli/commands/verify";
import { readCommandLine } from "@eventlogger/pipeline/cli/readCommandLine";
import { runOptions } from "@eventlogger/pipeline/cli/run/runOptions";

const OPTIONS: Readonly<Record<string, OptionSpecs>> = {
  refresh: refreshCommand.options,
  run: runOptions,
  verify: verifyCommand.options,
};

const PROGRAM = "node node_modules/@eventlogger/pipeline/dist/cli/main.js";

/**
 * The words of a command of `eventlogger` that a container runs. A shell command is run with `echo` in place of the program.
 * @throws Error when the container runs another program
 */
export function scheduledCommand(command: readonly string[], args: readonly string[]): string[] {
  const words = [...command, ...args];
  const line =
    words[0] === "/bin/sh"
      ? execFileSync("/bin/sh", ["-c", (words[2] ?? "").replace("exec node", "echo node")], { encoding: "utf8" }).trim()
      : words.join(" ");
  if (!line.startsWith(`${PROGRAM} `)) throw new Error(`Not the command line of the image: ${line}`);
  return line.slice(PROGRAM.length + 1).split(" ");
}

/**
 * Reads a command line of the form `command --option value …`, as `eventlogger` does.
 * @throws ConfigError with unknown options and invalid values; Error when there is no such command
 */
export function readWords([command = "", ...words]: readonly string[]): void {
  const specs = OPTIONS[command];
  if (specs === undefined) throw new Error(`The test does not know the command ${command}`);
  const argv: Record<string, unknown> = { _: [command] };
  for (let i = 0; i < words.length; i += 2) {
    const name = (words[i] ?? "").replace(/^--/, "").replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    argv[name] = words[i + 1];
  }
  readCommandLine(specs, argv, {});
}
