interface Spec<Kind extends string, T> {
  readonly type: Kind;
  readonly describe: string;
  readonly default?: T;
  /**
   * Returns what is wrong with a value, or undefined when it is valid. For a list it names the invalid entry, because the
   * error does not repeat the whole list. A method, so that specs of all types mix.
   */
  check?(value: T): string | undefined;
  /** An option without a default is required unless it is optional. */
  readonly optional?: boolean;
  /** Name of an option with which this one is not required. Then it is as `optional`. */
  readonly requiredUnless?: string;
  /** Whether the option has no environment variable, because the variable means something else: `USER`. */
  readonly isFlagOnly?: boolean;
  /** Heading in `--help`. */
  readonly group?: string;
}

/** One of a fixed set of values. Its description names them, for `--help`. */
interface EnumSpec extends Spec<"enum", string> {
  readonly choices: readonly string[];
}

/**
 * One option. Durations are given as `10s`, `30m`, `1d` (or plain milliseconds) and read as milliseconds; lists are given
 * as `a,b`; maps as `key=value,key=value`. The flag of a list or a map may be repeated.
 */
export type OptionSpec =
  | Spec<"string", string>
  | EnumSpec
  | Spec<"number" | "duration", number>
  | Spec<"boolean", boolean>
  | Spec<"list", readonly string[]>
  | Spec<"map", Readonly<Record<string, string>>>;

/** Options by their names in camel case. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

type ValueOf<S> = S extends { type: "enum"; choices: readonly (infer Choice)[] }
  ? Choice
  : S extends { type: "number" | "duration" }
    ? number
    : S extends { type: "boolean" }
      ? boolean
      : S extends { type: "list" }
        ? readonly string[]
        : S extends { type: "map" }
          ? Readonly<Record<string, string>>
          : string;

/** The values of a set of options; durations are milliseconds, an enum is the union of its choices. */
export type Options<S> = {
  [K in keyof S]: S[K] extends { optional: true } | { requiredUnless: string }
    ? ValueOf<S[K]> | undefined
    : ValueOf<S[K]>;
};

/** `lateAfter` -> `--late-after`. */
export function flagName(key: string): string {
  return "--" + key.replace(/[A-Z]/g, (c) => "-" + c.toLowerCase());
}

/** `lateAfter` -> `LATE_AFTER`. */
export function envName(key: string): string {
  return key.replace(/[A-Z]/g, (c) => "_" + c).toUpperCase();
}
