import type { Options, OptionSpecs } from "@eventlogger/options/options";

/** One command of `eventlogger`. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** More, for `--help` of the command itself. */
  readonly details?: string;
  readonly options: OptionSpecs;
  /** Command line and what it does. */
  readonly examples: readonly (readonly [string, string])[];
  /**
   * What is wrong with options that do not fit each other; gets those that are right by themselves. All problems are told
   * together.
   */
  check?(options: Readonly<Record<string, unknown>>): readonly string[];
  /** @returns the exit code. */
  run(options: Readonly<Record<string, unknown>>): Promise<number>;
}

/** Ties the type of the values that `run` gets to the options that are declared. */
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
