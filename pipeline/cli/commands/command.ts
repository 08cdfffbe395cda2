import type { Options, OptionSpecs } from "@eventlogger/options/options";

/** What one command of `eventlogger` does. */
export interface Command {
  /** More text for `--help` of the command. */
  readonly details?: string;
  /** What the command can do, as its first argument: `dead-letters list`. Undefined: it has no argument. */
  readonly actions?: readonly string[];
  /** Whether the command does the first of its actions when none is given. */
  readonly isActionOptional?: boolean;
  /** Name of the argument that follows a command without actions, for `--help`: `EVENT_ID` of `trace EVENT_ID`. */
  readonly argument?: string;
  /** Names of the arguments that follow an action, for `--help`: `N` of `generations activate N`. */
  readonly argumentOf?: Readonly<Record<string, string>>;
  readonly options: OptionSpecs;
  /** Command lines, each with its effect. */
  readonly examples: readonly (readonly [string, string])[];
  /** Cross-field validation; receives only values that passed their own check. @returns all problems */
  check?(options: Readonly<Record<string, unknown>>): readonly string[];
  /**
   * @param action one of `actions`; empty when there are none
   * @param args what follows the action, when `argumentOf` names it; the `argument` of a command without actions
   * @returns the exit code
   */
  run(options: Readonly<Record<string, unknown>>, action: string, args: readonly string[]): Promise<number>;
}

/** Defines a command whose `check` and `run` receive values with the types of its options. */
export function defineCommand<S extends OptionSpecs>(
  command: Omit<Command, "options" | "check" | "run"> & {
    options: S;
    check?(options: Partial<Options<S>>): readonly string[];
    run(options: Options<S>, action: string, args: readonly string[]): Promise<number>;
  },
): Command {
  return {
    ...command,
    check: (options) => command.check?.(options as Partial<Options<S>>) ?? [],
    run: (options, action, args) => command.run(options as Options<S>, action, args),
  };
}
