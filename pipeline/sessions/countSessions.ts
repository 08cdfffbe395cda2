import "@eventlogger/beam/sdk";
import { flatten, P, withName, type PCollection } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { bundleParDo, pipe, statefulParDo, withKvCoder } from "@eventlogger/beam";
import type { DayDelta } from "@eventlogger/events/totals/totals";
import { bytesKvCoder } from "../byteEncoding";
import type { ParsedEvent } from "../parse/parsedEvent";
import { sumByDay } from "../totals/sumDeltas";
import { SessionLedger } from "./sessionLedger";
import { EventPartials, StaleSessionPartials, type KeyedIntervals } from "./sessionPartials";
import { windowSessions, type SessionWindowOptions } from "./windowSessions";

export interface CountSessionsOptions {
  /** Events of one session id less than this apart belong to one session; whole seconds, in ms. */
  readonly gapMs: number;
  /** See `IdHash`. */
  readonly shardHashSecret: string | undefined;
  /** IANA name of the zone whose days split sessions. */
  readonly timeZone: string;
  /** Whether sessions of bots count like those of people. */
  readonly countBots: boolean;
  /** Beam's session windows in front of the ledger; undefined: the ledger alone windows the sessions, in its state. */
  readonly beamWindows: SessionWindowOptions | undefined;
}

type Partials = PTransform<PCollection<ParsedEvent>, PCollection<KeyedIntervals>>;

/**
 * Passes stale events around the session windows. The output are partial sessions for the ledger. Its step names are older than
 * the word "stale" and must not change.
 */
function collectStaleSessions({ gapMs, shardHashSecret, timeZone }: CountSessionsOptions): Partials {
  return withName("LateSessions", (events: PCollection<ParsedEvent>) =>
    pipe(
      events,
      bundleParDo("LatePartials", new StaleSessionPartials(gapMs, shardHashSecret, timeZone), bytesKvCoder),
      withKvCoder("ByBucket", bytesKvCoder),
    ),
  );
}

/** The sessions of each bundle, for the ledger. */
function collectSessions({ gapMs, shardHashSecret, timeZone }: CountSessionsOptions): Partials {
  return withName("CollectSessions", (events: PCollection<ParsedEvent>) =>
    pipe(
      events,
      bundleParDo("EventPartials", new EventPartials(gapMs, shardHashSecret, timeZone), bytesKvCoder),
      withKvCoder("BySession", bytesKvCoder),
    ),
  );
}

/** Fresh events through Beam's session windows, and stale ones around them. */
function windowedSessions(
  events: PCollection<ParsedEvent>,
  options: CountSessionsOptions,
  windows: SessionWindowOptions,
): PCollection<KeyedIntervals> {
  const fresh = pipe(events, windowSessions(options, windows));
  const stale = pipe(events, collectStaleSessions(options));
  return P([fresh, stale]).apply(withName("AllPartials", flatten<KeyedIntervals>()));
}

/** Counts sessions and their durations. The output are the changes of the counts, keyed by day. */
export function countSessions(
  options: CountSessionsOptions,
): PTransform<PCollection<ParsedEvent>, PCollection<KV<string, string>>> {
  const { gapMs, countBots, beamWindows } = options;
  return withName("CountSessions", (events: PCollection<ParsedEvent>) => {
    const partials = beamWindows
      ? windowedSessions(events, options, beamWindows)
      : pipe(events, collectSessions(options));
    return pipe(
      partials,
      statefulParDo("SessionLedger", new SessionLedger(gapMs, countBots), {
        input: bytesKvCoder,
        output: new GeneralObjectCoder<DayDelta>(),
      }),
      sumByDay("SessionDeltas"),
    );
  });
}
