import "@eventlogger/beam/sdk";
import type { KV } from "apache-beam/values";
import { count, type BundleDoFn, type Emit, type EmitTimestamped } from "@eventlogger/beam";
import { dayOf } from "@eventlogger/events/day";
import { addInterval, unionIntervals, type Interval } from "@eventlogger/events/sessions/sessionIntervals";
import { sessionBucket } from "../shards";
import type { ParsedEvent } from "../parse/parsedEvent";
import {
  decodeInterval,
  encodeInterval,
  encodePartial,
  parseSessionKey,
  sessionKey,
  type SessionPartials,
} from "../encoding";
import { registerModule } from "@eventlogger/beam/registerModule";

/** Sessions of a bundle that are held back, at most. */
const MAX_SESSIONS = 50_000;

/** Intervals of sessions by session key. */
class SessionSet {
  private readonly sessions = new Map<string, Interval[]>();

  constructor(private readonly gapMs: number) {}

  get size(): number {
    return this.sessions.size;
  }
  add(key: string, intervals: readonly Interval[]): void {
    let known = this.sessions.get(key);
    if (!known) {
      this.sessions.set(key, [...intervals]);
      return;
    }
    for (const interval of intervals) known = addInterval(known, interval, this.gapMs)?.intervals ?? known;
    this.sessions.set(key, known);
  }
  /** Empties the set. */
  drain(): Map<string, Interval[]> {
    const drained = new Map(this.sessions);
    this.sessions.clear();
    return drained;
  }
}

/** Sessions by bucket, as the ledger takes them. */
function byBucket(sessions: ReadonlyMap<string, Interval[]>): Map<string, SessionPartials> {
  const buckets = new Map<string, SessionPartials>();
  for (const [key, intervals] of sessions) {
    const { day, sessionId } = parseSessionKey(key);
    const bucketKey = sessionBucket(day, sessionId);
    const partial = encodePartial(sessionId, intervals);
    const bucket = buckets.get(bucketKey);
    if (bucket) bucket.push(partial);
    else buckets.set(bucketKey, [partial]);
  }
  return buckets;
}

/**
 * Fresh events, on their way to the session windows: those of one bundle that belong together travel as one interval,
 * with the time of its last event.
 */
export class FreshSessionIntervals implements BundleDoFn<ParsedEvent, KV<string, string>> {
  private sessions: SessionSet | undefined;

  constructor(private readonly gapMs: number) {}

  startBundle(): void {
    this.sessions = new SessionSet(this.gapMs);
  }
  process({ event, late }: ParsedEvent, emit: Emit<KV<string, string>>): void {
    if (late || !this.sessions) return;
    const { event_time: t } = event;
    this.sessions.add(sessionKey(dayOf(t), event.session_id), [[t, t]]);
    if (this.sessions.size >= MAX_SESSIONS) this.flush(emit);
  }
  finishBundle(emit: EmitTimestamped<KV<string, string>>): void {
    this.flush(emit);
  }
  private flush(emit: EmitTimestamped<KV<string, string>>): void {
    for (const [key, intervals] of this.sessions?.drain() ?? []) {
      for (const interval of intervals) emit({ key, value: encodeInterval(interval) }, interval[1]);
    }
  }
}

/** The sessions of a bundle, by bucket, as the ledger takes them. */
abstract class PartialsByBucket<I> implements BundleDoFn<I, KV<string, string>> {
  private sessions: SessionSet | undefined;

  constructor(private readonly gapMs: number) {}

  /** The session of an element and its part of it; undefined for an element that is none of this step's business. */
  protected abstract partOf(element: I): { key: string; intervals: readonly Interval[] } | undefined;

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
    for (const [key, partials] of byBucket(this.sessions?.drain() ?? new Map<string, Interval[]>())) {
      emit({ key, value: JSON.stringify(partials) });
    }
  }
}

/** Late events go round the windows, straight to the ledger. */
export class LateSessionPartials extends PartialsByBucket<ParsedEvent> {
  protected partOf({ event, late }: ParsedEvent): { key: string; intervals: Interval[] } | undefined {
    if (!late) return undefined;
    count("lateEvents");
    const { event_time: t } = event;
    return { key: sessionKey(dayOf(t), event.session_id), intervals: [[t, t]] };
  }
}

/**
 * A pane of a session window becomes the union of its intervals. Does not rely on the window: whatever a pane holds,
 * intervals are joined only where they are less than the gap apart.
 */
export class PaneIntervals {
  constructor(private readonly gapMs: number) {}

  *process({ key, value }: KV<string, Iterable<string>>): Iterable<KV<string, string>> {
    count("panes");
    const intervals = unionIntervals([...value].map(decodeInterval), this.gapMs);
    if (intervals.length) yield { key, value: intervals.map(encodeInterval).join(";") };
  }
}

/** Panes go from the windows to the ledger. */
export class PanePartials extends PartialsByBucket<KV<string, string>> {
  protected partOf({ key, value }: KV<string, string>): { key: string; intervals: Interval[] } {
    return { key, intervals: value.split(";").map(decodeInterval) };
  }
}

registerModule(module);
