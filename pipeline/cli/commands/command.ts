import type { Options, OptionSpecs } from "@eventlogger/options/options";

/** One command of `eventlogger`. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** More text for `--help` of the command. */
  readonly details?: string;
  readonly options: OptionSpecs;
  /** Command lines, each with its effect. */
  readonly examples: readonly (readonly [string, string])[];
  /** Cross-field validation; receives only values that passed their own check. @returns all problems */
  check?(options: Readonly<Record<string, unknown>>): readonly string[];
  /** @returns the exit code. */
  run(options: Readonly<Record<string, unknown>>): Promise<number>;
}

/** Defines a command whose `check` and `run` receive values with the types of its options. */
export function defineCommand<S extends OptionSpecs>(
  command: Omit<Command, "options" | "check" | "run"> & {
    options: S;
    check?(options: Partial<Options<S>>): readonly string[];
    run(options: Options<S>): Promise<number>;
  },
): Command {
  return {
    ...command,
    check: (options) => command.check?.(options as Partial<Options<S>>) ?? [],
    run: (options) => command.run(options as Options<S>),
  };
}
