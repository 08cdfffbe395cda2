import { UserError } from "@eventlogger/process/main";
import { lacksUnit, parseDuration } from "./duration";
import { envName, flagName, type Options, type OptionSpec, type OptionSpecs } from "./optionSpec";

/** Exit code of a program whose command line or environment is invalid. */
export const CONFIG_ERROR_EXIT_CODE = 2;

/** The configuration is invalid. The message lists every problem; programs print it and exit with 2. */
export class ConfigError extends UserError {
  constructor(readonly problems: readonly string[]) {
    super(
      problems.length === 1
        ? `Configuration: ${problems[0]}`
        : `Configuration: ${problems.length} problems\n${problems.map((p) => `  - ${p}`).join("\n")}`,
      { exitCode: CONFIG_ERROR_EXIT_CODE },
    );
    this.name = "ConfigError";
  }
}

/** The entries of `a,b`, or of several such texts; undefined when a value is not text. */
function parseList(raw: unknown): string[] | undefined {
  const texts: unknown[] = Array.isArray(raw) ? raw : [raw];
  if (!texts.every((text) => typeof text === "string")) return undefined;
  return texts
    .flatMap((text) => text.split(","))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

/** The map of `key=value,key=value`; undefined when an entry lacks its key or its `=`, or a key is repeated. */
function parseMap(raw: unknown): Record<string, string> | undefined {
  const entries = parseList(raw)?.map((entry) => /^([^=]+)=(.*)$/.exec(entry));
  if (!entries?.every((match) => match !== null)) return undefined;
  const map = Object.fromEntries(entries.map(([, key, value]) => [key as string, value as string]));
  return Object.keys(map).length === entries.length ? map : undefined;
}

/** The value of an option; undefined when the text does not have the form of its type. */
function parse(spec: OptionSpec, raw: unknown): unknown {
  switch (spec.type) {
    case "string":
      return typeof raw === "string" ? raw : typeof raw === "number" ? String(raw) : undefined;
    case "enum":
      return spec.choices.find((choice) => choice === raw);
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

/** What a value must look like, for errors. */
function formOf(spec: OptionSpec): string {
  switch (spec.type) {
    case "string":
      return "a string";
    case "enum":
      return spec.choices.length === 1 ? String(spec.choices[0]) : `one of ${spec.choices.join(", ")}`;
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    case "duration":
      return "a duration such as 10s, 30m or 1d";
    case "list":
      return "a list such as a,b";
    case "map":
      return "a list such as key=value,key=value, with each key once";
  }
}

/** The problem of a duration that is invalid because its number was read as milliseconds. */
function unitMissing(number: string): string {
  const n = number.trim();
  return `has no unit, so ${n} means ${n} milliseconds, which is not valid here. Add a unit, such as ${n}s, ${n}m or ${n}h`;
}

/**
 * Reads options from flags (as yargs returns them, in camel case) and from the environment. A flag wins over its variable.
 * @param checkTogether cross-field validation; receives only values that passed their own check
 * @throws ConfigError with every problem, each with the flag and the variable
 */
export function readOptions<S extends OptionSpecs>(
  specs: S,
  flags: Readonly<Record<string, unknown>> = {},
  env: Readonly<Record<string, string | undefined>> = process.env,
  checkTogether: (options: Partial<Options<S>>) => readonly string[] = () => [],
): Options<S> {
  const out: Record<string, unknown> = {};
  const problems: string[] = [];
  // An empty variable counts as unset: Compose files and shells have no other way to unset one.
  const rawOf = (key: string): unknown => flags[key] ?? ((!specs[key]?.isFlagOnly && env[envName(key)]) || undefined);
  const isRequired = ({ optional, requiredUnless }: OptionSpec): boolean =>
    !optional && (requiredUnless === undefined || (rawOf(requiredUnless) ?? undefined) === undefined);
  for (const [key, spec] of Object.entries(specs)) {
    const name = spec.isFlagOnly ? flagName(key) : `${flagName(key)} (${envName(key)})`;
    const raw = rawOf(key);
    if (raw === undefined || raw === null) {
      if (spec.default !== undefined) out[key] = spec.default;
      else if (isRequired(spec)) problems.push(`${name} is required: ${spec.describe}`);
      continue;
    }
    const value = parse(spec, raw);
    if (value === undefined) {
      problems.push(`${name} must be ${formOf(spec)}, not ${JSON.stringify(raw)}`);
      continue;
    }
    const wrong = (spec as { check?(value: unknown): string | undefined }).check?.(value);
    // The check of a list names the invalid entry itself.
    const found = spec.type === "list" ? "" : `, not ${JSON.stringify(raw)}`;
    if (wrong && spec.type === "duration" && typeof raw === "string" && lacksUnit(raw)) {
      problems.push(`${name} ${unitMissing(raw)}`);
    } else if (wrong) problems.push(`${name} ${wrong}${found}`);
    else out[key] = value;
  }
  problems.push(...checkTogether(out as Partial<Options<S>>));
  if (problems.length) throw new ConfigError(problems);
  return out as Options<S>;
}
