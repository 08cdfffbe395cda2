import { dayOfMarked, isBotDay, type MarkedDay } from "@eventlogger/events/persons/markedDay";
import { addInterval, type Interval } from "@eventlogger/events/sessions/sessionIntervals";

/** One interval as plain numbers, or, where there are several, disjoint and sorted. */
interface Session {
  first: number;
  last: number;
  several: readonly Interval[] | undefined;
}

/** Intervals of one session id on one day, of people or of bots. */
export interface SessionIntervals {
  /** Epoch day. */
  readonly day: number;
  readonly isBot: boolean;
  readonly sessionId: string;
  /** Disjoint, sorted. */
  readonly intervals: readonly Interval[];
}

/** The sessions of a bundle. */
export class SessionSet {
  /** By marked day. */
  private days = new Map<MarkedDay, Map<string, Session>>();
  private sessions = 0;

  /** @param gapMs session gap, ms */
  constructor(private readonly gapMs: number) {}

  /** Number of triples of a day, a class and a session id. */
  get size(): number {
    return this.sessions;
  }

  /** @param first epoch ms @param last epoch ms, not before `first` */
  add(day: MarkedDay, sessionId: string, first: number, last: number): void {
    const sessions = this.days.get(day) ?? new Map<string, Session>();
    if (sessions.size === 0) this.days.set(day, sessions);
    const known = sessions.get(sessionId);
    if (!known) {
      sessions.set(sessionId, { first, last, several: undefined });
      this.sessions++;
    } else if (known.several) {
      known.several = addInterval(known.several, [first, last], this.gapMs)?.intervals ?? known.several;
    } else if (first - known.last < this.gapMs && known.first - last < this.gapMs) {
      known.first = Math.min(known.first, first);
      known.last = Math.max(known.last, last);
    } else {
      known.several = addInterval([[known.first, known.last]], [first, last], this.gapMs)?.intervals;
    }
  }

  /** Empties the set. */
  *drain(): Iterable<SessionIntervals> {
    const { days } = this;
    this.days = new Map();
    this.sessions = 0;
    for (const [marked, sessions] of days) {
      const day = dayOfMarked(marked);
      const isBot = isBotDay(marked);
      for (const [sessionId, { first, last, several }] of sessions) {
        yield { day, isBot, sessionId, intervals: several ?? [[first, last]] };
      }
    }
  }
}
