import "@eventlogger/beam/sdk";
import type { KV } from "apache-beam/values";
import { count, type BundleDoFn, type Emit, type EmitTimestamped } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { dayOf } from "@eventlogger/events/day";
import { unionIntervals, type Interval } from "@eventlogger/events/sessions/sessionIntervals";
import type { ParsedEvent } from "../parse/parsedEvent";
import { sessionShard } from "../shards";
import {
  decodeIntervals,
  decodeSessionKey,
  encodeIntervals,
  encodePartials,
  encodeSessionKey,
  type SessionPartial,
} from "./encoding";
import { SessionSet } from "./sessionSet";

/** Sessions that are collected before they are emitted; limits the memory of a large bundle. */
const MAX_SESSIONS = 50_000;

/** A session key, encoded, with intervals of that session. */
interface SessionPart {
  readonly key: string;
  readonly intervals: readonly Interval[];
}

function partOfEvent({ event }: ParsedEvent): SessionPart {
  const { event_time: time, session_id: sessionId } = event;
  return { key: encodeSessionKey({ day: dayOf(time), sessionId }), intervals: [[time, time]] };
}

/**
 * Joins the fresh events of a bundle into intervals, keyed by session, for the session windows. An interval has the
 * timestamp of its last event.
 */
export class FreshSessionIntervals implements BundleDoFn<ParsedEvent, KV<string, string>> {
  private sessions: SessionSet | undefined;

  /** @param gapMs session gap, ms */
  constructor(private readonly gapMs: number) {}

  startBundle(): void {
    this.sessions = new SessionSet(this.gapMs);
  }
  process(element: ParsedEvent, emit: Emit<KV<string, string>>): void {
    if (element.isStale || !this.sessions) return;
    const { key, intervals } = partOfEvent(element);
    this.sessions.add(key, intervals);
    if (this.sessions.size >= MAX_SESSIONS) this.flush(emit);
  }
  finishBundle(emit: EmitTimestamped<KV<string, string>>): void {
    this.flush(emit);
  }
  private flush(emit: EmitTimestamped<KV<string, string>>): void {
    for (const [key, intervals] of this.sessions?.drain() ?? []) {
      count("intervalsToWindows", intervals.length);
      for (const interval of intervals) emit({ key, value: encodeIntervals([interval]) }, interval[1]);
    }
  }
}

/** Collects the sessions of a bundle and emits them by shard, for the ledger. */
abstract class PartialsByShard<I> implements BundleDoFn<I, KV<string, string>> {
  private sessions: SessionSet | undefined;

  /** @param gapMs session gap, ms */
  constructor(private readonly gapMs: number) {}

  /** The part of a session that an element holds; undefined when this step ignores the element. */
  protected abstract partOf(element: I): SessionPart | undefined;

  startBundle(): void {
    this.sessions = new SessionSet(this.gapMs);
  }
  process(element: I, emit: Emit<KV<string, string>>): void {
    const part = this.partOf(element);
    if (!part || !this.sessions) return;
    this.sessions.add(part.key, part.intervals);
    if (this.sessions.size >= MAX_SESSIONS) this.flush(emit);
  }
  finishBundle(emit: EmitTimestamped<KV<string, string>>): void {
    this.flush((kv) => emit(kv, Date.now()));
  }
  private flush(emit: (kv: KV<string, string>) => void): void {
    const shards = new Map<string, SessionPartial[]>();
    for (const [key, intervals] of this.sessions?.drain() ?? []) {
      const { day, sessionId } = decodeSessionKey(key);
      const shardKey = sessionShard(day, sessionId);
      const shard = shards.get(shardKey);
      if (shard) shard.push({ sessionId, intervals });
      else shards.set(shardKey, [{ sessionId, intervals }]);
    }
    for (const [key, partials] of shards) emit({ key, value: encodePartials(partials) });
  }
}

/** Stale events bypass the session windows and go directly to the ledger. */
export class StaleSessionPartials extends PartialsByShard<ParsedEvent> {
  protected partOf(element: ParsedEvent): SessionPart | undefined {
    if (!element.isStale) return undefined;
    count("lateEvents");
    return partOfEvent(element);
  }
}

/**
 * Turns a pane of a session window into the union of its intervals. Does not rely on the window: intervals in a pane are
 * joined only where they are less than the gap apart.
 */
export class PaneIntervals {
  /** @param gapMs session gap, ms */
  constructor(private readonly gapMs: number) {}

  *process({ key, value }: KV<string, Iterable<string>>): Iterable<KV<string, string>> {
    count("panes");
    const received = [...value].flatMap(decodeIntervals);
    count("intervalsFromWindows", received.length);
    const intervals = unionIntervals(received, this.gapMs);
    if (intervals.length) yield { key, value: encodeIntervals(intervals) };
  }
}

/** Passes panes from the session windows to the ledger. */
export class PanePartials extends PartialsByShard<KV<string, string>> {
  protected partOf({ key, value }: KV<string, string>): SessionPart {
    return { key, intervals: decodeIntervals(value) };
  }
}

registerModule(module);
