import "@eventlogger/beam/sdk";
import type { KV } from "apache-beam/values";
import { count, type BundleDoFn, type Emit, type EmitTimestamped } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { markDay } from "@eventlogger/events/persons/markedDay";
import { unionIntervals } from "@eventlogger/events/sessions/sessionIntervals";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { UTC_NAME } from "@eventlogger/events/zone/zoneName";
import type { ParsedEvent } from "../parse/parsedEvent";
import { IdHash, sessionKey } from "../shards";
import { decodeIntervals, decodeSessionKey, encodeIntervals, encodeSessionKey, originOfDay } from "./encoding";
import { SessionSet } from "./sessionSet";

/** Sessions that are collected before they are emitted; limits the memory of a large bundle. */
const MAX_SESSIONS = 50_000;

/** A key and intervals of its session. */
export type KeyedIntervals = KV<string, Uint8Array>;

/** Collects the sessions of a bundle. */
abstract class CollectSessions<I> implements BundleDoFn<I, KeyedIntervals> {
  private sessions: SessionSet | undefined;
  private zone: TimeZone | undefined;

  /** @param gapMs session gap, ms @param timeZone IANA name of the zone whose days split sessions */
  constructor(
    protected readonly gapMs: number,
    protected readonly timeZone: string = UTC_NAME,
  ) {}

  /** Adds the part of a session that an element has, if it has one. */
  protected abstract addTo(sessions: SessionSet, element: I, zone: TimeZone): void;
  /** Emits the sessions and removes them from the set. */
  protected abstract flush(sessions: SessionSet, emit: EmitTimestamped<KeyedIntervals>): void;

  startBundle(): void {
    this.sessions = new SessionSet(this.gapMs);
    this.zone ??= TimeZone.of(this.timeZone);
  }
  process(element: I, emit: Emit<KeyedIntervals>): void {
    const { sessions, zone } = this;
    if (!sessions || !zone) return;
    this.addTo(sessions, element, zone);
    if (sessions.size >= MAX_SESSIONS) this.flush(sessions, emit);
  }
  finishBundle(emit: EmitTimestamped<KeyedIntervals>): void {
    if (this.sessions) this.flush(this.sessions, emit);
  }
}

function addEvent(sessions: SessionSet, { event }: ParsedEvent, zone: TimeZone): void {
  const { event_time: time, session_id: sessionId, is_bot: isBot } = event;
  sessions.add(markDay(zone.dayOf(time), isBot), sessionId, time, time);
}

/**
 * Joins the fresh events of a bundle into intervals, keyed by session, for the session windows. An interval has the
 * timestamp of its last event.
 */
export class FreshSessionIntervals extends CollectSessions<ParsedEvent> {
  protected addTo(sessions: SessionSet, element: ParsedEvent, zone: TimeZone): void {
    if (!element.isStale) addEvent(sessions, element, zone);
  }
  protected flush(sessions: SessionSet, emit: EmitTimestamped<KeyedIntervals>): void {
    for (const { intervals, ...session } of sessions.drain()) {
      count("intervalsToWindows", intervals.length);
      const key = encodeSessionKey(session);
      for (const interval of intervals) emit({ key, value: encodeIntervals([interval]) }, interval[1]);
    }
  }
}

/** Emits the sessions of a bundle for the ledger. */
abstract class SessionPartials<I> extends CollectSessions<I> {
  private hash: IdHash | undefined;

  /** @param gapMs session gap, ms @param shardHashSecret see `IdHash` @param timeZone IANA name */
  constructor(
    gapMs: number,
    private readonly shardHashSecret: string | undefined,
    timeZone = UTC_NAME,
  ) {
    super(gapMs, timeZone);
  }

  protected flush(sessions: SessionSet, emit: EmitTimestamped<KeyedIntervals>): void {
    const hash = (this.hash ??= new IdHash(this.shardHashSecret));
    const zone = TimeZone.of(this.timeZone);
    const now = Date.now();
    for (const { day, isBot, sessionId, intervals } of sessions.drain()) {
      hash.update(sessionId);
      const value = encodeIntervals(intervals, originOfDay(day, zone));
      emit({ key: sessionKey(day, isBot, hash), value }, now);
    }
  }
}

/** Sends all events to the ledger. */
export class EventPartials extends SessionPartials<ParsedEvent> {
  protected addTo(sessions: SessionSet, element: ParsedEvent, zone: TimeZone): void {
    addEvent(sessions, element, zone);
  }
}

/** Stale events bypass the session windows and go directly to the ledger. */
export class StaleSessionPartials extends SessionPartials<ParsedEvent> {
  protected addTo(sessions: SessionSet, element: ParsedEvent, zone: TimeZone): void {
    if (!element.isStale) return;
    count("lateEvents");
    addEvent(sessions, element, zone);
  }
}

/**
 * Turns a pane of a session window into the union of its intervals. Does not rely on the window: intervals in a pane are
 * joined only where they are less than the gap apart.
 */
export class PaneIntervals {
  /** @param gapMs session gap, ms */
  constructor(private readonly gapMs: number) {}

  *process({ key, value }: KV<string, Iterable<Uint8Array>>): Iterable<KeyedIntervals> {
    count("panes");
    const received = [...value].flatMap((intervals) => decodeIntervals(intervals));
    count("intervalsFromWindows", received.length);
    const intervals = unionIntervals(received, this.gapMs);
    if (intervals.length) yield { key, value: encodeIntervals(intervals) };
  }
}

/** Passes panes from the session windows to the ledger. */
export class PanePartials extends SessionPartials<KeyedIntervals> {
  protected addTo(sessions: SessionSet, { key, value }: KeyedIntervals): void {
    const { day, isBot, sessionId } = decodeSessionKey(key);
    const marked = markDay(day, isBot);
    for (const [first, last] of decodeIntervals(value)) sessions.add(marked, sessionId, first, last);
  }
}

registerModule(module);
