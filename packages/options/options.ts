/**
 * One way to configure everything: an option is a flag (`--pubsub-timeout-ms`) and an environment variable of the same
 * name in upper snake case (`PUBSUB_TIMEOUT_MS`). A flag wins over the environment. All values are checked together, so
 * one error lists all that is wrong.
 */

interface Spec<Kind extends string, T> {
  readonly type: Kind;
  readonly describe: string;
  readonly default?: T;
  /** Returns what is wrong with a value, or undefined when it is right. A method, so that specs of all kinds mix. */
  check?(value: T): string | undefined;
  /** An option without a default is required unless it is optional. */
  readonly optional?: boolean;
  /** Heading in `--help`. */
  readonly group?: string;
}

/**
 * One option. Durations are given as `10s`, `30m`, `1d` (or plain milliseconds) and read as milliseconds; lists as `a,b`;
 * maps as `key=value,key=value`. The flag of a list or a map may be repeated.
 */
export type OptionSpec =
  | Spec<"string", string>
  | Spec<"number" | "duration", number>
  | Spec<"boolean", boolean>
  | Spec<"list", readonly string[]>
  | Spec<"map", Readonly<Record<string, string>>>;

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

type ValueOf<S> = S extends { type: "number" | "duration" }
  ? number
  : S extends { type: "boolean" }
    ? boolean
    : S extends { type: "list" }
      ? readonly string[]
      : S extends { type: "map" }
        ? Readonly<Record<string, string>>
        : string;
/** The values that belong to a set of options; durations are milliseconds. */
export type Options<S> = {
  [K in keyof S]: S[K] extends { optional: true } ? ValueOf<S[K]> | undefined : ValueOf<S[K]>;
};

/** Everything that is wrong with the configuration; the command line prints it and exits with 2. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(
      problems.length === 1
        ? `Configuration: ${problems[0]}`
        : `Configuration: ${problems.length} problems\n${problems.map((p) => `  - ${p}`).join("\n")}`,
    );
    this.name = "ConfigError";
  }
}

/** `lateAfter` -> `--late-after`. */
export function flagName(key: string): string {
  return "--" + key.replace(/[A-Z]/g, (c) => "-" + c.toLowerCase());
}

/** `lateAfter` -> `LATE_AFTER`. */
export function envName(key: string): string {
  return key.replace(/[A-Z]/g, (c) => "_" + c).toUpperCase();
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `250`, `250ms`, `10s`, `30m`, `1.5h`, `1d`; undefined when it is none of these. */
export function parseDuration(text: string): number | undefined {
  const m = /^(\d+(?:\.\d+)?)(ms|s|m|min|h|d)?$/.exec(text.trim());
  return m ? Math.round(Number(m[1]) * (UNITS[m[2] ?? "ms"] ?? 1)) : undefined;
}

/** The shortest way to write a number of milliseconds that {@link parseDuration} reads. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"] as const) {
    const size = UNITS[unit] as number;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/** The entries of `a,b`, or of several of these; undefined when it is no text. */
function parseList(raw: unknown): string[] | undefined {
  const texts: unknown[] = Array.isArray(raw) ? raw : [raw];
  if (!texts.every((text) => typeof text === "string")) return undefined;
  return texts
    .flatMap((text) => text.split(","))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

/** The map of `key=value,key=value`; undefined when an entry lacks its key or its `=`, or a key comes twice. */
function parseMap(raw: unknown): Record<string, string> | undefined {
  const entries = parseList(raw)?.map((entry) => /^([^=]+)=(.*)$/.exec(entry));
  if (!entries?.every((match) => match !== null)) return undefined;
  const map = Object.fromEntries(entries.map(([, key, value]) => [key as string, value as string]));
  return Object.keys(map).length === entries.length ? map : undefined;
}

function parse(type: OptionSpec["type"], raw: unknown): unknown {
  switch (type) {
    case "string":
      return typeof raw === "string" ? raw : typeof raw === "number" ? String(raw) : undefined;
    case "number": {
      const n = typeof raw === "number" ? raw : typeof raw === "string" && raw.trim() !== "" ? Number(raw) : NaN;
      return Number.isFinite(n) ? n : undefined;
    }
    case "boolean":
      if (typeof raw === "boolean") return raw;
      return raw === "true" || raw === "1" ? true : raw === "false" || raw === "0" || raw === "" ? false : undefined;
    case "duration":
      return typeof raw === "number" ? raw : typeof raw === "string" ? parseDuration(raw) : undefined;
    case "list":
      return parseList(raw);
    case "map":
      return parseMap(raw);
  }
}

/** How a value is written, for messages. */
const FORM: Readonly<Record<OptionSpec["type"], string>> = {
  string: "a string",
  number: "a number",
  boolean: "a boolean",
  duration: "a duration such as 10s, 30m or 1d",
  list: "a list such as a,b",
  map: "a list such as key=value,key=value, each key once",
};

/**
 * Reads options from flags (as yargs gives them, camel case) and from the environment.
 * @param checkTogether what is wrong with values that do not fit each other; gets those that are right by themselves
 * @throws ConfigError with every problem, naming flag and variable.
 */
export function readOptions<S extends OptionSpecs>(
  specs: S,
  flags: Readonly<Record<string, unknown>> = {},
  env: Readonly<Record<string, string | undefined>> = process.env,
  checkTogether: (options: Partial<Options<S>>) => readonly string[] = () => [],
): Options<S> {
  const out: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [key, spec] of Object.entries(specs)) {
    const name = `${flagName(key)} (${envName(key)})`;
    // A variable that is set to nothing is not set: Compose files and shells cannot say it otherwise.
    const raw = flags[key] ?? (env[envName(key)] || undefined);
    if (raw === undefined || raw === null) {
      if (spec.default !== undefined) out[key] = spec.default;
      else if (!spec.optional) problems.push(`${name} is required: ${spec.describe}`);
      continue;
    }
    const value = parse(spec.type, raw);
    if (value === undefined) {
      problems.push(`${name} must be ${FORM[spec.type]}, not ${JSON.stringify(raw)}`);
      continue;
    }
    const wrong = (spec as Spec<string, unknown>).check?.(value);
    if (wrong) problems.push(`${name} ${wrong}, not ${JSON.stringify(raw)}`);
    else out[key] = value;
  }
  problems.push(...checkTogether(out as Partial<Options<S>>));
  if (problems.length) throw new ConfigError(problems);
  return out as Options<S>;
}

/** A check for numbers: a whole number from min to max. */
export function wholeNumber(min: number, max: number): (n: number) => string | undefined {
  return (n) =>
    Number.isInteger(n) && n >= min && n <= max ? undefined : `must be a whole number from ${min} to ${max}`;
}

/** A check for durations: from min to max, ms. */
export function between(min: number, max: number): (ms: number) => string | undefined {
  return (ms) => (ms >= min && ms <= max ? undefined : `must be from ${min} ms to ${max} ms`);
}

/** A check for text: one of these. */
export function oneOf(values: readonly string[]): (text: string) => string | undefined {
  return (text) => (values.includes(text) ? undefined : `must be one of ${values.join(", ")}`);
}

/** Undefined where there is nothing to show. */
function defaultText(spec: OptionSpec): string | undefined {
  if (spec.default === undefined) return undefined;
  if (spec.type === "duration") return formatDuration(spec.default);
  if (spec.type === "list" || spec.type === "map") return Object.values(spec.default).join(",") || "none";
  return String(spec.default);
}

/** The yargs declaration of a set of options (kebab case, typed, with the default and the variable in the help). */
export function yargsOptions(
  specs: OptionSpecs,
): Record<string, { type: "string" | "boolean"; describe: string; group?: string; defaultDescription?: string }> {
  return Object.fromEntries(
    Object.entries(specs).map(([key, spec]) => [
      flagName(key).slice(2),
      {
        // Numbers and durations are parsed by readOptions, so that all problems are reported in one error.
        type: spec.type === "boolean" ? ("boolean" as const) : ("string" as const),
        describe: `${spec.describe} [$${envName(key)}]`,
        ...(spec.group ? { group: spec.group } : {}),
        ...(spec.default !== undefined ? { defaultDescription: defaultText(spec) } : {}),
      },
    ]),
  );
}
