import "@eventlogger/beam/sdk";
import {
  foldedState,
  type CellsOf,
  type FoldedCell,
  type StateDeclaration,
  type StatefulDoFn,
} from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { addInterval, type Interval } from "@eventlogger/events/sessions/sessionIntervals";
import { dayDelta, isZeroDelta, type DayDelta } from "@eventlogger/events/totals/totals";
import { dayOfSessionKey } from "../shards";
import { decodeIntervals, intervalsCoder } from "./encoding";

/** The sessions of one day and session id: disjoint intervals, in ms from `originOfDay`. */
export interface DaySessions {
  intervals: readonly Interval[];
}

type States = { sessions: StateDeclaration<FoldedCell<DaySessions, readonly Interval[]>> };

/** Bytes of the object and of a list with one interval, as most sessions have. */
const ONE_INTERVAL = 150;
/** Bytes of the object and of a longer list without its intervals, and of each interval. V8 grows such a list with room to spare. */
const LIST_OVERHEAD = 208;
const INTERVAL = 76;

/** Entries of the log for each change. The log of a session is replaced by its intervals after (64 + 2 n) / 4 changes. */
const ENTRIES_PER_CHANGE = 4;

/** What an addition changes. */
export interface SessionChange {
  /** The intervals that changed something. */
  readonly added: readonly Interval[];
  readonly sessions: number;
  readonly durationMs: number;
}

/**
 * Adds intervals.
 * @param gapMs session gap, ms
 * @returns undefined when nothing has changed
 */
export function addIntervals(
  state: DaySessions,
  intervals: readonly Interval[],
  gapMs: number,
): SessionChange | undefined {
  let added: Interval[] | undefined;
  let sessions = 0;
  let durationMs = 0;
  for (const interval of intervals) {
    const change = addInterval(state.intervals, interval, gapMs);
    if (!change) continue;
    state.intervals = change.intervals;
    (added ??= []).push(interval);
    sessions += change.sessions;
    durationMs += change.durationMs;
  }
  return added && { added, sessions, durationMs };
}

function weightOf({ intervals: { length } }: DaySessions): number {
  return length <= 1 ? ONE_INTERVAL : LIST_OVERHEAD + INTERVAL * length;
}

/** Keeps the sessions of each (day, session id) as disjoint intervals and emits the changes of the day's counts. */
export class SessionLedger implements StatefulDoFn<Uint8Array, DayDelta, States> {
  /** @param gapMs session gap, ms @param countBots whether sessions of bots count like those of people */
  constructor(
    private readonly gapMs: number,
    private readonly countBots: boolean,
  ) {}

  states(): States {
    const { gapMs } = this;
    return {
      sessions: foldedState<DaySessions, readonly Interval[]>({
        coder: intervalsCoder,
        create: () => ({ intervals: [] }),
        fold: (state, intervals) => void addIntervals(state, intervals, gapMs),
        snapshot: ({ intervals }) => [intervals],
        entries: () => ENTRIES_PER_CHANGE,
        size: ({ intervals }) => intervals.length,
        weight: weightOf,
      }),
    };
  }

  process(key: string, value: Uint8Array, { sessions }: CellsOf<States>): DayDelta[] | void {
    const change = addIntervals(sessions.state, decodeIntervals(value), this.gapMs);
    if (!change) return;
    sessions.log(change.added);
    // The same session can have become longer by as much as others have become shorter.
    if (change.sessions === 0 && change.durationMs === 0) return;
    const { day, isBot } = dayOfSessionKey(key);
    const counted = !isBot || this.countBots ? { sessions: change.sessions, durationMs: change.durationMs } : {};
    const delta = dayDelta(day, { ...counted, botSessions: isBot ? change.sessions : 0 });
    return isZeroDelta(delta) ? undefined : [delta];
  }
}

registerModule(module);
