import "@eventlogger/beam/sdk";
import { flatten, P, withName, type PCollection } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { bundleParDo, pipe, statefulParDo, textKvCoder, withKvCoder } from "@eventlogger/beam";
import type { DayDelta } from "@eventlogger/events/totals/totals";
import type { ParsedEvent } from "../parse/parsedEvent";
import { sumByDay } from "../totals/sumDeltas";
import { SessionLedger } from "./sessionLedger";
import { StaleSessionPartials } from "./sessionPartials";
import { windowSessions, type SessionWindowOptions } from "./windowSessions";

/**
 * Passes stale events around the session windows. The output are partial sessions for the ledger, keyed by shard. Its step
 * names are older than the word "stale" and must not change.
 */
function collectStaleSessions({
  gapMs,
  shardHashSecret,
}: SessionWindowOptions): PTransform<PCollection<ParsedEvent>, PCollection<KV<string, string>>> {
  return withName("LateSessions", (events: PCollection<ParsedEvent>) =>
    pipe(
      events,
      bundleParDo("LatePartials", new StaleSessionPartials(gapMs, shardHashSecret), textKvCoder),
      withKvCoder("ByBucket", textKvCoder),
    ),
  );
}

/** Counts sessions and their durations. The output are the changes of the counts, keyed by day. */
export function countSessions(
  options: SessionWindowOptions,
): PTransform<PCollection<ParsedEvent>, PCollection<KV<string, string>>> {
  const { gapMs } = options;
  return withName("CountSessions", (events: PCollection<ParsedEvent>) => {
    const fresh = pipe(events, windowSessions(options));
    const stale = pipe(events, collectStaleSessions(options));
    return pipe(
      P([fresh, stale]).apply(withName("AllPartials", flatten<KV<string, string>>())),
      statefulParDo("SessionLedger", new SessionLedger(gapMs), {
        input: textKvCoder,
        output: new GeneralObjectCoder<DayDelta>(),
      }),
      sumByDay("SessionDeltas"),
    );
  });
}
