import type { OptionSpecs } from "@eventlogger/options/options";

export const atLeast =
  (minMs: number, text: string) =>
  (ms: number): string | undefined =>
    ms >= minMs ? undefined : `must be at least ${text}`;

const wholeSeconds = (ms: number): string | undefined =>
  ms > 0 && ms % 1000 === 0 ? undefined : "must be a positive whole number of seconds";

/** What the numbers depend on, and when they come; the same on every runner. */
export const numberOptions = {
  sessionGap: {
    type: "duration",
    describe: "Events of one session are less than this apart",
    default: 30 * 60_000,
    check: wholeSeconds,
    group: "Numbers:",
  },
  lateAfter: {
    type: "duration",
    describe: "Events older than this go round the session windows",
    default: 86_400_000,
    check: atLeast(60_000, "1m"),
    group: "Numbers:",
  },
  earlyFiring: {
    type: "duration",
    describe: "How often a session that goes on is counted",
    default: 10_000,
    check: atLeast(100, "100ms"),
    group: "Numbers:",
  },
} as const satisfies OptionSpecs;
