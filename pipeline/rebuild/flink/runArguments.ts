import { countsBots, timeZoneOf, type Generation } from "@eventlogger/gcp/bigquery/generations";
import { flagName } from "@eventlogger/options/options";

/**
 * The command line of `eventlogger run` for a generation.
 * @param values options of `run` by their names in camel case; undefined ones are left out
 */
export function runArguments(generation: Generation, values: Readonly<Record<string, unknown>>): string[] {
  const { settings } = generation;
  const own = {
    generation: generation.generation,
    sessionGap: settings.sessionGapMs,
    timeZone: timeZoneOf(settings),
    countBots: countsBots(settings),
    // The port of the command's option belongs to the run of the active generation.
    metricsPort: 0,
  };
  const flags = Object.entries({ ...values, ...own })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${flagName(name)}=${Array.isArray(value) ? value.join(",") : String(value)}`);
  return ["run", ...flags];
}
