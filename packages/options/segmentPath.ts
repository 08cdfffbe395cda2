import type { OptionSpec } from "./optionSpec";

/** The calls of Segment's tracking API, each with an endpoint of its own. */
export const SEGMENT_CALLS = ["track", "page", "screen", "identify", "alias", "group"] as const;
export type SegmentCall = (typeof SEGMENT_CALLS)[number];

/** What an endpoint takes: one call, or a batch of them. */
export type SegmentEndpoint = SegmentCall | "batch";

/**
 * The last part of each path, first the one that Segment documents. Segment's browser library sends to the first letters,
 * and its Java library to `import`.
 */
export const SEGMENT_NAMES: Readonly<Record<SegmentEndpoint, readonly [string, ...string[]]>> = {
  batch: ["batch", "b", "import"],
  track: ["track", "t"],
  page: ["page", "p"],
  screen: ["screen", "s"],
  identify: ["identify", "i"],
  alias: ["alias", "a"],
  group: ["group", "g"],
};

/** One or more parts of letters, digits and `-._~`; no part is `.` or `..`. */
const SEGMENT_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]{1,64}){1,8}$/;

/** Describes what is wrong with a value of {@link segmentPathOption}; undefined when it is valid. */
export function segmentPathProblem(path: string): string | undefined {
  return SEGMENT_PATH.test(path)
    ? undefined
    : "must be a path such as /v1, without a slash at its end, of letters, digits and -._~";
}

/** The option that ingest and nginx share. */
export const segmentPathOption = {
  type: "string",
  describe:
    "Path in front of the endpoints for Segment's libraries (batch, track, page, screen, identify, alias, group); another one than /v1 is not on the lists of ad blockers",
  default: "/v1",
  check: segmentPathProblem,
  group: "HTTP:",
} as const satisfies OptionSpec;
