import { atLeast, type OptionSpecs } from "@eventlogger/options/options";

const wholeSeconds = (ms: number): string | undefined =>
  ms > 0 && ms % 1000 === 0 ? undefined : "must be a positive whole number of seconds";

/** Options that define the rollups and the times at which they are updated; the same for all runners. */
export const numberOptions = {
  sessionGap: {
    type: "duration",
    describe: "Session gap: events at least this far apart belong to different sessions",
    default: 30 * 60_000,
    check: wholeSeconds,
    group: "Rollups:",
  },
  lateAfter: {
    type: "duration",
    describe: "Events older than this bypass the session windows",
    default: 86_400_000,
    check: atLeast(60_000),
    group: "Rollups:",
  },
  earlyFiring: {
    type: "duration",
    describe: "Interval at which sessions in progress are counted",
    default: 10_000,
    check: atLeast(100),
    group: "Rollups:",
  },
} as const satisfies OptionSpecs;
