import type { OptionSpecs } from "@eventlogger/options/options";
import type { Output } from "@eventlogger/options/terminal";

/** The option of all commands that can print their result as JSON. */
export const jsonOption = {
  json: {
    type: "boolean",
    describe: "Print the result as one JSON document to standard output, all other output to standard error",
    default: false,
  },
} as const satisfies OptionSpecs;

/** The stream for progress: standard error if the result is JSON. */
export function progressOutput(json: boolean): Output {
  return json ? process.stderr : process.stdout;
}

/** Writes the result of a command to standard output: the JSON document, or the lines. */
export function writeResult(json: boolean, document: unknown, lines: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : lines.map((line) => `${line}\n`).join(""));
}
