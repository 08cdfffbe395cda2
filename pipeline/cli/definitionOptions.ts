import { timeZoneProblem, UTC_NAME } from "@eventlogger/events/zone/zoneName";
import type { OptionSpecs } from "@eventlogger/options/options";
import { numberOptions } from "./numberOptions";

/** The definitions of the numbers of a dataset that has none yet. */
export const DEFAULT_DEFINITIONS = {
  sessionGapMs: numberOptions.sessionGap.default,
  timeZone: UTC_NAME,
  countBots: false,
};

/** Definitions of the numbers, for commands that use those of the dataset by default. */
export const definitionOptions = {
  sessionGap: {
    type: "duration",
    describe:
      "Session gap: events at least this far apart belong to different sessions. By default that of the generation; 30m for " +
      "the first one",
    optional: true,
    check: numberOptions.sessionGap.check,
    group: "Rollups:",
  },
  timeZone: {
    type: "string",
    describe:
      "Time zone of the days, as an IANA name such as Europe/Berlin. By default that of the generation; UTC for the first one",
    optional: true,
    check: timeZoneProblem,
    group: "Rollups:",
  },
  countBots: {
    type: "boolean",
    describe:
      "Count sessions and active days of bots like those of people. By default as the generation does; the first one does not",
    optional: true,
    group: "Rollups:",
  },
} as const satisfies OptionSpecs;
