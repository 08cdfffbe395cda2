import type { SegmentCall } from "@eventlogger/options/segmentPath";

/** A call that a library is told to make. A program in another language reads it as one line of JSON. */
export interface Call {
  readonly kind: SegmentCall;
  readonly id: string;
  readonly user: string;
  /** The anonymous id; of alias the previous id. */
  readonly anonymous: string;
  /** Of track the name of the event, of pages and screens their name, of groups their id. */
  readonly name: string;
  /** Epoch milliseconds. */
  readonly time: number;
}

/** What must be in the topic for a call. */
export interface ExpectedEvent {
  readonly id: string;
  readonly user: string | null;
  readonly anonymous: string | null;
  readonly name: string;
  /** Epoch milliseconds. */
  readonly time: number;
}

/**
 * Mostly what apps send most. First of all the user: the browser library adds the user of the moment to a call without one
 * when it sends it again.
 */
const KINDS: readonly SegmentCall[] = [
  "identify",
  "track",
  "page",
  "track",
  "screen",
  "track",
  "alias",
  "track",
  "group",
  "track",
];
const FIRST_TIME = Date.UTC(2024, 4, 17, 8, 30);
/** A time between two calls that is no multiple of a second. */
const INTERVAL_MS = 1037;

/** Calls of every kind. @param prefix of the ids, for each library another one */
export function makeCalls(prefix: string, count: number): readonly Call[] {
  return Array.from({ length: count }, (_, i) => ({
    kind: KINDS[i % KINDS.length] as SegmentCall,
    id: `${prefix}-${i}`,
    user: `${prefix}-user-${i % 40}`,
    anonymous: `${prefix}-anonymous-${i % 70}`,
    name: `name ${i % 7} 🚲`,
    time: FIRST_TIME + i * INTERVAL_MS,
  }));
}

export const expectedOf = ({ kind, id, user, anonymous, name, time }: Call): ExpectedEvent => ({
  id,
  user,
  anonymous,
  name: kind === "track" ? name : kind,
  time,
});
