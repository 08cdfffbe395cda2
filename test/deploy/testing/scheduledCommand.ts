import { execFileSync } from "node:child_process";

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
