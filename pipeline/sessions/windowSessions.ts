import "@eventlogger/beam/sdk";
import { parDo, windowInto, withName, type PCollection } from "apache-beam";
import { groupByKey } from "apache-beam/transforms/internal";
import type { PTransform } from "apache-beam/transforms/transform";
import { globalWindows } from "apache-beam/transforms/windowings";
import {
  afterProcessingTime,
  afterWatermark,
  bundleParDo,
  pipe,
  sessionWindows,
  windowingStrategy,
  withKvCoder,
} from "@eventlogger/beam";
import { bytesKvCoder } from "../byteEncoding";
import type { ParsedEvent } from "../parse/parsedEvent";
import { FreshSessionIntervals, PaneIntervals, PanePartials, type KeyedIntervals } from "./sessionPartials";

/** Durations of the session windows, ms. */
export interface SessionWindowOptions {
  /** Events older than this are stale and bypass the windows. */
  readonly staleAfterMs: number;
  /** How often a session that is still open is counted; processing time. */
  readonly earlyFiringMs: number;
}

/** How much the allowed lateness exceeds the age at which events bypass the windows; ms. */
const LATENESS_MARGIN_MS = 3_600_000;

/** Interval of firings for late data; ms. */
const LATE_FIRING_MS = 1000;

/** What the sessions are, and where the ledger keeps them. */
export interface SessionDefinition {
  /** Events of one session id less than this apart belong to one session; whole seconds, in ms. */
  readonly gapMs: number;
  /** See `IdHash`. */
  readonly shardHashSecret: string | undefined;
  /** IANA name of the zone whose days split sessions. */
  readonly timeZone: string;
}

/** Sends fresh events through Beam's session windows. The output are partial sessions for the ledger. */
export function windowSessions(
  { gapMs, shardHashSecret, timeZone }: SessionDefinition,
  { staleAfterMs, earlyFiringMs }: SessionWindowOptions,
): PTransform<PCollection<ParsedEvent>, PCollection<KeyedIntervals>> {
  const strategy = windowingStrategy({
    trigger: afterWatermark({
      early: afterProcessingTime(earlyFiringMs),
      late: afterProcessingTime(LATE_FIRING_MS),
    }),
    // No event may be dropped as late data. An event in the windows was less than staleAfter behind the watermark that its source
    // had reported, and a window drops events only when the watermark is further ahead of its end than this. Where the source
    // does not know the watermark, the margin covers clocks that differ by up to an hour. Windows are kept this long, so the
    // lateness is not larger than needed.
    allowedLatenessMs: staleAfterMs + LATENESS_MARGIN_MS,
  });
  return withName("WindowSessions", (events: PCollection<ParsedEvent>) => {
    const panes = pipe(
      events,
      bundleParDo("FreshIntervals", new FreshSessionIntervals(gapMs, timeZone), bytesKvCoder),
      withKvCoder("BySession", bytesKvCoder),
      withName("SessionWindows", windowInto(sessionWindows(gapMs), strategy)),
      withName("GroupSessions", groupByKey<string, Uint8Array>()),
    );
    return pipe(
      panes,
      withName("PaneIntervals", parDo(new PaneIntervals(gapMs))),
      withKvCoder("PanesBySession", bytesKvCoder),
      withName("GlobalWindow", windowInto(globalWindows())),
      bundleParDo("PanePartials", new PanePartials(gapMs, shardHashSecret, timeZone), bytesKvCoder),
      withKvCoder("ByBucket", bytesKvCoder),
    );
  });
}
