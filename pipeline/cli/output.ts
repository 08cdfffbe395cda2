import type { OptionSpecs } from "@eventlogger/options/options";
import type { Output } from "@eventlogger/options/terminal";

/** Every command that has a result can give it to a program. */
export const jsonOption = {
  json: {
    type: "boolean",
    describe: "One JSON document on standard output, the rest on standard error",
    default: false,
  },
} as const satisfies OptionSpecs;

/** Where a command says how far it is: beside its JSON, where there is one. */
export function progressOutput(json: boolean): Output {
  return json ? process.stderr : process.stdout;
}

/** Writes the result of a command: the JSON document, or the lines for people. */
export function writeResult(json: boolean, document: unknown, lines: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : lines.map((line) => `${line}\n`).join(""));
}
