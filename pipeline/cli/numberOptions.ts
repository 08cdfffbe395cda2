import { DEFAULT_GAP_MS } from "../generationSettings";
import { atLeast, type OptionSpecs } from "@eventlogger/options/options";

const wholeSeconds = (ms: number): string | undefined =>
  ms > 0 && ms % 1000 === 0 ? undefined : "must be a positive whole number of seconds";

/** Options that define the rollups and the times at which they are updated; the same for all runners. */
export const numberOptions = {
  sessionGap: {
    type: "duration",
    describe: "Session gap: events at least this far apart belong to different sessions",
    default: DEFAULT_GAP_MS,
    check: wholeSeconds,
    group: "Rollups:",
  },
  sessionWindows: {
    type: "enum",
    choices: ["state", "beam"],
    describe:
      "How sessions are windowed: state lets the ledger of sessions do it alone, in its state; beam puts Beam's session " +
      "windows in front of it. The numbers at rest are the same",
    default: "state",
    group: "Rollups:",
  },
  lateAfter: {
    type: "duration",
    describe: "With --session-windows beam: events older than this bypass the session windows",
    default: 86_400_000,
    check: atLeast(60_000),
    group: "Rollups:",
  },
  earlyFiring: {
    type: "duration",
    describe: "With --session-windows beam: interval at which sessions in progress are counted",
    default: 10_000,
    check: atLeast(100),
    group: "Rollups:",
  },
} as const satisfies OptionSpecs;
