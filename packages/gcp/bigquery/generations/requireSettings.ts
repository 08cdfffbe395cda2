import { isSameTimeZone } from "@eventlogger/events/zone/zoneName";
import { countsBots, timeZoneOf, type Generation, type GenerationSettings } from "./generation";

/** The run has other settings than the generation. Start it with those of the generation, or rebuild the numbers with the new ones. */
export class GenerationSettingsError extends Error {
  constructor(dataset: string, differences: readonly string[]) {
    super(
      `The numbers in dataset ${dataset} were made with other settings: ${differences.join("; ")}. ` +
        "Use the settings of the dataset, make the numbers again with others (`eventlogger rebuild`), or choose another dataset (--dataset)",
    );
    this.name = "GenerationSettingsError";
  }
}

const seconds = (ms: number): string => `${ms / 1000} s`;

/**
 * Checks that a run has the settings of a generation. The secret of the hash is not compared: a run uses that of the generation.
 * @throws GenerationSettingsError that names both values of each setting that differs
 */
export function requireGenerationSettings(
  dataset: string,
  { settings: recorded }: Pick<Generation, "settings">,
  wanted: GenerationSettings,
): void {
  const differences: string[] = [];
  if (recorded.sessionGapMs !== wanted.sessionGapMs) {
    const gaps = [recorded, wanted].map(({ sessionGapMs }) => seconds(sessionGapMs));
    differences.push(`the session gap is ${gaps[0]} in the dataset, but ${gaps[1]} in this run (--session-gap)`);
  }
  const zones = [timeZoneOf(recorded), timeZoneOf(wanted)] as const;
  if (!isSameTimeZone(...zones)) {
    differences.push(`the time zone is ${zones[0]} in the dataset, but ${zones[1]} in this run (--time-zone)`);
  }
  if (countsBots(recorded) !== countsBots(wanted)) {
    const bots = [recorded, wanted].map((settings) => (countsBots(settings) ? "count" : "do not count"));
    differences.push(`bots ${bots[0]} in the dataset, but ${bots[1]} in this run (--count-bots)`);
  }
  const formats = [recorded, wanted].map(({ stateFormat = 1 }) => stateFormat);
  if (formats[0] !== formats[1]) {
    differences.push(
      `the state has format ${formats[0]} in the dataset, but this release reads format ${formats[1]}, so it needs empty state`,
    );
  }
  if (differences.length) throw new GenerationSettingsError(dataset, differences);
}
