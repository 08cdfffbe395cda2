import type { AnalyticsEvent } from "../event";

const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;
/** After each text, so that the border between two texts counts. Not a value of a UTF-16 code unit. */
const END = 0x10000;
/** In place of null. */
const NULL = 0x10001;

function add(hash: number, text: string | null): number {
  if (text === null) return Math.imul(hash ^ NULL, PRIME);
  let next = hash;
  for (let i = 0; i < text.length; i++) next = Math.imul(next ^ text.charCodeAt(i), PRIME);
  return Math.imul(next ^ END, PRIME);
}

/**
 * A hash of what an event says: all its fields but `event_id`, `received_at`, which is new when a client sends the event
 * again, and what ingest may take from the request (`app`, `platform`, `browser`, `os`, `is_bot`). 32 bits, unsigned (FNV-1a), not for secrets.
 * @param propertiesJson JSON of the event's properties
 */
export function contentHash(event: AnalyticsEvent, propertiesJson: string): number {
  let hash = add(OFFSET, event.session_id);
  hash = add(hash, event.event_name);
  hash = Math.imul(hash ^ (event.event_time & 0xffff), PRIME);
  hash = Math.imul(hash ^ Math.floor(event.event_time / 0x10000), PRIME);
  hash = add(hash, event.user_id);
  hash = add(hash, event.anonymous_id);
  hash = add(hash, event.page);
  hash = add(hash, event.country);
  hash = add(hash, event.region);
  hash = add(hash, event.city);
  hash = add(hash, event.referrer);
  return add(hash, propertiesJson) >>> 0;
}

/** Events that a {@link RecentEvents} remembers by default, about. */
const SLOTS = 2 ** 20;

/**
 * Remembers the content of recent events, to notice an `event_id` that is used again for other content. It forgets an event when
 * another one takes its place, so its memory is bounded: 12 bytes for each place.
 */
export class RecentEvents {
  private readonly ids: Float64Array;
  private readonly contents: Uint32Array;

  /** @param slots number of places; a power of two */
  constructor(private readonly slots = SLOTS) {
    this.ids = new Float64Array(slots).fill(-1);
    this.contents = new Uint32Array(slots);
  }

  /**
   * Whether an earlier event has the same id and other content. The first content stays.
   * @param idHash see `eventIdHash`
   */
  isConflict(idHash: number, content: number): boolean {
    const slot = idHash % this.slots;
    if (this.ids[slot] === idHash) return this.contents[slot] !== content;
    this.ids[slot] = idHash;
    this.contents[slot] = content;
    return false;
  }
}
