import { formatDuration } from "./duration";
import { envName, flagName, type OptionSpec, type OptionSpecs } from "./optionSpec";

/** The default for `--help`; undefined when there is none. */
function defaultText(spec: OptionSpec): string | undefined {
  if (spec.default === undefined) return undefined;
  if (spec.type === "duration") return formatDuration(spec.default);
  if (spec.type === "list" || spec.type === "map") return Object.values(spec.default).join(",") || "none";
  return String(spec.default);
}

/** The yargs declaration of a set of options: flags in kebab case, with the default and the variable in `--help`. */
export function yargsOptions(
  specs: OptionSpecs,
): Record<string, { type: "string" | "boolean"; describe: string; group?: string; defaultDescription?: string }> {
  return Object.fromEntries(
    Object.entries(specs).map(([key, spec]) => [
      flagName(key).slice(2),
      {
        // Everything but booleans is parsed by readOptions, so that one error reports all problems.
        type: spec.type === "boolean" ? ("boolean" as const) : ("string" as const),
        describe: spec.isFlagOnly ? spec.describe : `${spec.describe} [$${envName(key)}]`,
        ...(spec.group ? { group: spec.group } : {}),
        ...(spec.default !== undefined ? { defaultDescription: defaultText(spec) } : {}),
      },
    ]),
  );
}
