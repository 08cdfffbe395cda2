import "@eventlogger/beam/sdk";
import { flatten, P, parDo, split, windowInto, withName, type PCollection, type Root } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { groupByKey } from "apache-beam/transforms/internal";
import { globalWindows } from "apache-beam/transforms/windowings";
import type { PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import {
  afterProcessingTime,
  afterWatermark,
  applyAsync,
  bundleParDo,
  pipe,
  sessionWindows,
  statefulParDo,
  textKvCoder,
  windowingStrategy,
  withKvCoder,
  type AnyPTransform,
} from "@eventlogger/beam";
import type { DeadLetterRow, EventRow, RollupVersionRow } from "@eventlogger/gcp/bigquery/tables";
import type { DayDelta } from "@eventlogger/events/totals/totals";
import type { PubSubMessage } from "./io/pubsub/message";
import { DayTotals } from "./totals/dayTotals";
import type { ParsedEvent } from "./parse/parsedEvent";
import { ParseMessages, type ParseResult } from "./parse/parseMessages";
import { SessionLedger } from "./sessions/sessionLedger";
import { FreshSessionIntervals, LateSessionPartials, PaneIntervals, PanePartials } from "./sessions/sessionPartials";
import { SumDeltas } from "./totals/sumDeltas";
import { ToEventRows } from "./io/bigquery/toEventRows";
import { CollectUserDays } from "./users/userDays";
import { UserLedger } from "./users/userLedger";

/** What the numbers depend on, and when they come. */
export interface EventPipelineOptions {
  /** Events of one session id less than this apart are of one session; ms, whole seconds. */
  readonly sessionGapMs: number;
  /** Events older than this go round the session windows; ms. */
  readonly lateAfterMs: number;
  /** A session that goes on is counted this often; ms of processing time. */
  readonly earlyFiringMs: number;
}

/** A write gives out dead letters for what it could not write. */
export type Sink<Row> = AnyPTransform<PCollection<Row>, DeadLetterRow>;

/** The ends of the pipeline: they depend on the runner, and are chosen in one place and passed in. */
export interface EventPipelineEnds {
  readonly readMessages: AnyPTransform<Root, PubSubMessage>;
  readonly writeEvents: Sink<EventRow>;
  readonly writeRollupVersions: Sink<RollupVersionRow>;
  readonly writeDeadLetters: Sink<DeadLetterRow>;
}

/** By how much the allowed lateness exceeds the age at which events go round the windows; ms. */
const LATENESS_MARGIN_MS = 3_600_000;

/** How long a late pane waits for more late events; ms. */
const LATE_FIRING_MS = 1000;

const keyed = (name: string) => withKvCoder(name, textKvCoder);
const deltaCoder = new GeneralObjectCoder<DayDelta>();

/** Events that are not late, through session windows, as partials for the ledger. */
function windowSessions(
  options: EventPipelineOptions,
): PTransform<PCollection<ParsedEvent>, PCollection<KV<string, string>>> {
  const { sessionGapMs, lateAfterMs, earlyFiringMs } = options;
  const strategy = windowingStrategy({
    trigger: afterWatermark({
      early: afterProcessingTime(earlyFiringMs),
      late: afterProcessingTime(LATE_FIRING_MS),
    }),
    // Nothing may be dropped as late: whatever enters the windows is younger than lateAfter when it is read, and the
    // watermark that could close its window follows behind it. Windows are kept for as long, so not for longer.
    allowedLatenessMs: lateAfterMs + LATENESS_MARGIN_MS,
  });
  return withName("WindowSessions", (events: PCollection<ParsedEvent>) => {
    const panes = pipe(
      events,
      bundleParDo("FreshIntervals", new FreshSessionIntervals(sessionGapMs), textKvCoder),
      keyed("BySession"),
      withName("SessionWindows", windowInto(sessionWindows(sessionGapMs), strategy)),
      withName("GroupSessions", groupByKey<string, string>()),
    );
    return pipe(
      panes,
      withName("PaneIntervals", parDo(new PaneIntervals(sessionGapMs))),
      keyed("PanesBySession"),
      withName("GlobalWindow", windowInto(globalWindows())),
      bundleParDo("PanePartials", new PanePartials(sessionGapMs), textKvCoder),
      keyed("ByBucket"),
    );
  });
}

/** Late events, as partials for the ledger. */
function collectLateSessions(
  options: EventPipelineOptions,
): PTransform<PCollection<ParsedEvent>, PCollection<KV<string, string>>> {
  return withName("LateSessions", (events: PCollection<ParsedEvent>) =>
    pipe(
      events,
      bundleParDo("LatePartials", new LateSessionPartials(options.sessionGapMs), textKvCoder),
      keyed("ByBucket"),
    ),
  );
}

function sumByDay(name: string): PTransform<PCollection<DayDelta>, PCollection<KV<string, string>>> {
  return withName(name, (deltas: PCollection<DayDelta>) =>
    pipe(deltas, bundleParDo("SumDeltas", new SumDeltas(), textKvCoder), keyed("ByDay")),
  );
}

/** Deltas of the sessions of each day. */
function countSessions(
  options: EventPipelineOptions,
): PTransform<PCollection<ParsedEvent>, PCollection<KV<string, string>>> {
  return withName("CountSessions", (events: PCollection<ParsedEvent>) => {
    const partials = P([pipe(events, windowSessions(options)), pipe(events, collectLateSessions(options))]).apply(
      withName("AllPartials", flatten<KV<string, string>>()),
    );
    return pipe(
      partials,
      statefulParDo("SessionLedger", new SessionLedger(options.sessionGapMs), {
        input: textKvCoder,
        output: deltaCoder,
      }),
      sumByDay("SessionDeltas"),
    );
  });
}

/** Deltas of the users of each day. */
function countUsers(): PTransform<PCollection<ParsedEvent>, PCollection<KV<string, string>>> {
  return withName("CountUsers", (events: PCollection<ParsedEvent>) =>
    pipe(
      events,
      bundleParDo("UserDays", new CollectUserDays(), textKvCoder),
      keyed("ByBucket"),
      statefulParDo("UserLedger", new UserLedger(), { input: textKvCoder, output: deltaCoder }),
      sumByDay("UserDeltas"),
    ),
  );
}

/**
 * The pipeline of design.md: messages to raw rows, dead letters and versions of the daily rollups. Step names are stable:
 * the state of a running job belongs to them.
 */
export function eventPipeline(
  ends: EventPipelineEnds,
  options: EventPipelineOptions,
): (root: Root) => Promise<PCollection<DeadLetterRow>> {
  return async (root) => {
    const parsed = pipe(
      await applyAsync(root, ends.readMessages),
      withName("ParseMessages", parDo<PubSubMessage, ParseResult, undefined>(new ParseMessages(options.lateAfterMs))),
    ).apply(withName("SplitDeadLetters", split(["events", "deadLetters"]))) as {
      events: PCollection<ParsedEvent>;
      deadLetters: PCollection<DeadLetterRow>;
    };
    const { events } = parsed;
    const eventRows = pipe(events, withName("ToEventRows", parDo(new ToEventRows())));
    const refusedEvents = await applyAsync(eventRows, ends.writeEvents);
    const deltas = P([pipe(events, countSessions(options)), pipe(events, countUsers())]).apply(
      withName("AllDeltas", flatten<KV<string, string>>()),
    );
    const versions = pipe(
      deltas,
      statefulParDo("DayTotals", new DayTotals(), {
        input: textKvCoder,
        output: new GeneralObjectCoder<RollupVersionRow>(),
      }),
    );
    const refusedVersions = await applyAsync(versions, ends.writeRollupVersions);
    const deadLetters = P([parsed.deadLetters, refusedEvents, refusedVersions]).apply(
      withName("AllDeadLetters", flatten<DeadLetterRow>()),
    );
    return applyAsync(deadLetters, ends.writeDeadLetters);
  };
}
