import "@eventlogger/beam/sdk";
import {
  foldedState,
  type CellsOf,
  type FoldedCell,
  type StateDeclaration,
  type StatefulDoFn,
  WeighedMap,
} from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { addInterval, type Interval } from "@eventlogger/events/sessions/sessionIntervals";
import { sumDeltas, type DayDelta } from "@eventlogger/events/totals/totals";
import { dayOfSessionShard } from "../shards";
import { decodePartials, sessionPartialsCoder, type SessionPartial } from "./encoding";

/** Sessions in one record of a snapshot. */
const SNAPSHOT_CHUNK = 1000;

/** The sessions of one shard: session id -> disjoint intervals. */
export type SessionShard = Map<string, readonly Interval[]>;

type WeighedShard = WeighedMap<readonly Interval[]>;

type States = { sessions: StateDeclaration<FoldedCell<WeighedShard, SessionPartial[]>> };

/** Bytes of a list with one interval, as most sessions have. */
const ONE_INTERVAL = 120;
/** Bytes of a longer list without its intervals, and of each interval. V8 grows such a list with room to spare. */
const LIST_OVERHEAD = 176;
const INTERVAL = 76;

/** Bytes of a session's intervals in memory. */
function weightOf({ length }: readonly Interval[]): number {
  return length === 1 ? ONE_INTERVAL : LIST_OVERHEAD + INTERVAL * length;
}

/**
 * Adds intervals to the sessions of a shard.
 * @param day epoch day of the shard
 * @param gapMs session gap, ms
 * @returns the intervals that changed something, and the change of the day's counts; undefined when nothing changed
 */
export function addPartials(
  shard: SessionShard,
  day: number,
  partials: readonly SessionPartial[],
  gapMs: number,
): { changed: SessionPartial[]; delta: DayDelta | undefined } | undefined {
  const changed: SessionPartial[] = [];
  const deltas: DayDelta[] = [];
  for (const { sessionId, intervals } of partials) {
    for (const interval of intervals) {
      const change = addInterval(shard.get(sessionId) ?? [], interval, gapMs);
      if (!change) continue;
      shard.set(sessionId, change.intervals);
      changed.push({ sessionId, intervals: [interval] });
      deltas.push({ day, sessions: change.sessions, durationMs: change.durationMs, activeUsers: 0, newUsers: 0 });
    }
  }
  return changed.length ? { changed, delta: sumDeltas(deltas)[0] } : undefined;
}

function snapshot(shard: SessionShard): SessionPartial[][] {
  const all = [...shard].map(([sessionId, intervals]) => ({ sessionId, intervals }));
  const chunks: SessionPartial[][] = [];
  for (let i = 0; i < all.length; i += SNAPSHOT_CHUNK) chunks.push(all.slice(i, i + SNAPSHOT_CHUNK));
  return chunks;
}

/** Keeps the sessions of each (day, session id) as disjoint intervals and emits the changes of the day's counts. */
export class SessionLedger implements StatefulDoFn<string, DayDelta, States> {
  /** @param gapMs session gap, ms */
  constructor(private readonly gapMs: number) {}

  states(): States {
    const { gapMs } = this;
    return {
      sessions: foldedState<WeighedShard, SessionPartial[]>({
        coder: sessionPartialsCoder,
        create: () => new WeighedMap(weightOf),
        fold: (shard, partials) => void addPartials(shard, 0, partials, gapMs),
        snapshot,
        entries: (partials) => partials.length,
        size: (shard) => shard.size,
        weight: (shard) => shard.weight,
      }),
    };
  }

  *process(key: string, value: string, { sessions }: CellsOf<States>): Iterable<DayDelta> {
    const change = addPartials(sessions.state, dayOfSessionShard(key), decodePartials(value), this.gapMs);
    if (!change) return;
    sessions.log(change.changed);
    if (change.delta) yield change.delta;
  }
}

registerModule(module);
