import "@eventlogger/beam/sdk";
import {
  foldedState,
  jsonCoder,
  type CellsOf,
  type FoldedCell,
  type StateDeclaration,
  type StatefulDoFn,
} from "@eventlogger/beam";
import { addInterval, type Interval } from "@eventlogger/events/sessions/sessionIntervals";
import { sumDeltas, type DayDelta } from "@eventlogger/events/totals/totals";
import { dayOfSessionBucket } from "../shards";
import { encodePartial, intervalsOf, type SessionPartials } from "../encoding";
import { registerModule } from "@eventlogger/beam/registerModule";

/** Sessions in one record of a snapshot. */
const SNAPSHOT_CHUNK = 1000;

/** The sessions of one bucket: session id -> disjoint intervals. */
export type SessionBucket = Map<string, readonly Interval[]>;

type States = { sessions: StateDeclaration<FoldedCell<SessionBucket, SessionPartials>> };

/**
 * Adds intervals to the sessions of a bucket.
 * @returns what was new, and what it changed in the day's sums; undefined when nothing was
 */
export function addPartials(
  bucket: SessionBucket,
  day: number,
  partials: SessionPartials,
  gapMs: number,
): { changed: SessionPartials; delta: DayDelta | undefined } | undefined {
  const changed: SessionPartials = [];
  const deltas: DayDelta[] = [];
  for (const partial of partials) {
    const [sessionId] = partial;
    for (const interval of intervalsOf(partial)) {
      const change = addInterval(bucket.get(sessionId) ?? [], interval, gapMs);
      if (!change) continue;
      bucket.set(sessionId, change.intervals);
      changed.push(encodePartial(sessionId, [interval]));
      deltas.push({ day, sessions: change.sessions, durationMs: change.durationMs, activeUsers: 0, newUsers: 0 });
    }
  }
  return changed.length ? { changed, delta: sumDeltas(deltas)[0] } : undefined;
}

/** Keeps the sessions of each (day, session id) as disjoint intervals and sends on what changes in the day's sums. */
export class SessionLedger implements StatefulDoFn<string, DayDelta, States> {
  constructor(private readonly gapMs: number) {}

  states(): States {
    const { gapMs } = this;
    return {
      sessions: foldedState<SessionBucket, SessionPartials>({
        coder: jsonCoder<SessionPartials>(),
        create: () => new Map(),
        fold: (bucket, record) => void addPartials(bucket, 0, record, gapMs),
        snapshot: (bucket) => {
          const all = [...bucket].map(([sessionId, intervals]) => encodePartial(sessionId, intervals));
          const chunks: SessionPartials[] = [];
          for (let i = 0; i < all.length; i += SNAPSHOT_CHUNK) chunks.push(all.slice(i, i + SNAPSHOT_CHUNK));
          return chunks;
        },
        entries: (record) => record.length,
        size: (bucket) => bucket.size,
        entryWeight: 300,
      }),
    };
  }

  *process(key: string, value: string, { sessions }: CellsOf<States>): Iterable<DayDelta> {
    const day = dayOfSessionBucket(key);
    const change = addPartials(sessions.state, day, JSON.parse(value) as SessionPartials, this.gapMs);
    if (!change) return;
    sessions.log(change.changed);
    if (change.delta) yield change.delta;
  }
}

registerModule(module);
