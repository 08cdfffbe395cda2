import "@eventlogger/beam/sdk";
import { flatten, P, withName, type PCollection, type Root } from "apache-beam";
import type { KV } from "apache-beam/values";
import { applyAsync, pipe, type AnyPTransform } from "@eventlogger/beam";
import type { AcceptedIds } from "@eventlogger/events/accepted/acceptedIds";
import type { DeadLetter } from "@eventlogger/events/deadLetter";
import type { RetentionVersion } from "@eventlogger/events/totals/retention";
import type { DayVersion } from "@eventlogger/events/totals/totals";
import { UTC_NAME } from "@eventlogger/events/zone/zoneName";
import { FIRST_GENERATION } from "@eventlogger/gcp/bigquery/generations";
import type { EventRow } from "@eventlogger/gcp/bigquery/tables";
import { recordAccepted } from "./accepted/recordAccepted";
import { toEventRows } from "./io/bigquery/toEventRows";
import type { PubSubMessage } from "./io/pubsub/message";
import { parseMessages } from "./parse/parseMessages";
import { countSessions } from "./sessions/countSessions";
import { totalDays } from "./totals/dayTotals";
import { totalCohorts } from "./totals/retentionTotals";
import { countUsers } from "./users/countUsers";

/** How sessions are windowed: by the ledger in its state, or through Beam's session windows in front of it. Both are exact. */
export type SessionWindows = "state" | "beam";

/** The durations that define the numbers and their delay, ms, and the hash of the keys of state. */
export interface EventPipelineOptions {
  /** Session gap: events of one session id less than this apart belong to one session. Whole seconds. */
  readonly sessionGapMs: number;
  /** Time zone of the days of sessions and users: an IANA name. @default "UTC" */
  readonly timeZone?: string | undefined;
  /** Whether sessions of bots, and days on which a person was active only with events of bots, count like others. @default false */
  readonly countBots?: boolean | undefined;
  /** @default "state" */
  readonly sessionWindows?: SessionWindows | undefined;
  /** Only for Beam's session windows: events older than this are stale and bypass them. */
  readonly lateAfterMs: number;
  /** Only for Beam's session windows: how often a session that is still open is counted; processing time. */
  readonly earlyFiringMs: number;
  /**
   * Key of the hash of users and sessions in the keys of state: 32 hexadecimal digits. Undefined for a pipeline that is only
   * described. It belongs to the state, and becomes part of the pipeline's description: never print either.
   */
  readonly shardHashSecret: string | undefined;
  /** The generation that the rollup versions belong to. @default 1 */
  readonly generation?: number | undefined;
  /**
   * Rollup versions are higher than this. For a runner that commits state and outputs together: its workers have no floor of
   * their own. @default 0
   */
  readonly versionFloor?: number;
  /**
   * Whether workers leave out pairs of an id and a day that they have already sent to the ledger: see `CountedDays` for the runners
   * that allow it. @default true
   */
  readonly skipsCountedDays?: boolean | undefined;
}

/** Writes a collection. The output are dead letters for what could not be written. */
export type Sink<T> = AnyPTransform<PCollection<T>, DeadLetter>;

/** The source and the sinks of the pipeline. They depend on the runner, which chooses them in one place. */
export interface EventPipelineIo {
  readonly readMessages: AnyPTransform<Root, PubSubMessage>;
  /** Reads the replay subscription, where that is a step of its own. By default `readMessages` reads both subscriptions. */
  readonly readReplay?: AnyPTransform<Root, PubSubMessage> | undefined;
  readonly writeEvents: Sink<EventRow>;
  readonly writeRollupVersions: Sink<DayVersion>;
  readonly writeRetentionVersions: Sink<RetentionVersion>;
  readonly writeDeadLetters: Sink<DeadLetter>;
  readonly writeAcceptedIds: Sink<AcceptedIds>;
}

/** The messages of both subscriptions. The step that reads live messages has the name that running jobs know. */
async function readAll(root: Root, { readMessages, readReplay }: EventPipelineIo): Promise<PCollection<PubSubMessage>> {
  const messages = await applyAsync(root, readMessages);
  if (!readReplay) return messages;
  const replayed = await applyAsync(root, readReplay);
  return P([messages, replayed]).apply(withName("AllMessages", flatten<PubSubMessage>()));
}

/**
 * The pipeline of docs/architecture.md: from messages to raw rows, dead letters and versions of the rollups. The step names must
 * not change, because the state of running jobs belongs to them.
 */
export function eventPipeline(
  io: EventPipelineIo,
  {
    sessionGapMs: gapMs,
    timeZone = UTC_NAME,
    countBots = false,
    lateAfterMs: staleAfterMs,
    earlyFiringMs,
    sessionWindows = "state",
    shardHashSecret,
    generation = FIRST_GENERATION,
    versionFloor,
    skipsCountedDays = true,
  }: EventPipelineOptions,
): (root: Root) => Promise<PCollection<DeadLetter>> {
  const beamWindows = sessionWindows === "beam" ? { staleAfterMs, earlyFiringMs } : undefined;
  return async (root) => {
    const messages = await readAll(root, io);
    const { events, deadLetters: invalidMessages } = parseMessages(messages, beamWindows?.staleAfterMs);
    const refusedEvents = await applyAsync(pipe(events, toEventRows()), io.writeEvents);

    const definitions = { shardHashSecret, timeZone, countBots };
    const sessionDeltas = pipe(events, countSessions({ ...definitions, gapMs, beamWindows }));
    const persons = pipe(events, countUsers({ ...definitions, skipsCounted: skipsCountedDays }));
    const deltas = P([sessionDeltas, persons.days]).apply(withName("AllDeltas", flatten<KV<string, string>>()));
    const refusedVersions = await applyAsync(pipe(deltas, totalDays(generation, versionFloor)), io.writeRollupVersions);

    const refusedRetention = await applyAsync(
      pipe(persons.weeks, totalCohorts(generation, versionFloor)),
      io.writeRetentionVersions,
    );

    const deadLetters = P([invalidMessages, refusedEvents, refusedVersions, refusedRetention]).apply(
      withName("AllDeadLetters", flatten<DeadLetter>()),
    );
    const written = await applyAsync(deadLetters, io.writeDeadLetters);

    // After all other steps, whose ids in the pipeline stay the same: Flink assigns the state of a job that resumes by them. A
    // refused row fails the bundle, so there are no dead letters.
    await applyAsync(pipe(events, recordAccepted()), io.writeAcceptedIds);
    return written;
  };
}
