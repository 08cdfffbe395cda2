import { ConfigError, flagName, readOptions, type Options, type OptionSpecs } from "@eventlogger/options/options";

const ALWAYS_KNOWN = new Set(["_", "$0", "help", "h", "version"]);

/** Levenshtein distance of two words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** The known name that is closest to a mistyped one; undefined when none is close. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const [best] = known.map((k) => ({ k, d: distance(name, k) })).sort((a, b) => a.d - b.d);
  return best && best.d <= Math.max(1, Math.floor(name.length / 3)) ? best.k : undefined;
}

/**
 * Reads the options of a command from the result of yargs.
 * @param checkTogether cross-field validation, see `readOptions`
 * @throws ConfigError with all problems: unknown options, unexpected arguments and invalid values
 */
export function readCommandLine<S extends OptionSpecs>(
  specs: S,
  argv: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>> = process.env,
  checkTogether?: (options: Partial<Options<S>>) => readonly string[],
): Options<S> {
  const problems: string[] = [];
  const flags = Object.keys(specs).map((key) => flagName(key));
  for (const key of Object.keys(argv)) {
    // yargs returns each flag both in kebab case and in camel case.
    if (key in specs || ALWAYS_KNOWN.has(key) || (/[A-Z]/.test(key) && flagName(key).slice(2) in argv)) continue;
    const flag = key.length === 1 ? `-${key}` : `--${key}`;
    if (flags.includes(flag)) continue;
    const near = closest(flag, flags);
    problems.push(`unknown option ${flag}${near ? `; did you mean ${near}?` : ""}`);
  }
  const [, ...rest] = (argv._ ?? []) as unknown[];
  for (const argument of rest) problems.push(`unexpected argument ${JSON.stringify(String(argument))}`);
  try {
    const options = readOptions(specs, argv, env, checkTogether);
    if (problems.length === 0) return options;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  throw new ConfigError(problems);
}
