import "@eventlogger/beam/sdk";
import type { Coder } from "apache-beam/coders/coders";
import { dayStart, DAY_MS } from "@eventlogger/events/day";
import type { Interval } from "@eventlogger/events/sessions/sessionIntervals";
import { VarintReader, VarintWriter } from "@eventlogger/events/varints";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { byteCoder } from "../byteEncoding";
import { readSessionDay, sessionDayText } from "../shards";
import { EncodingError } from "../textEncoding";

/** The key of the session windows. */
export interface SessionKey {
  /** Epoch day. */
  readonly day: number;
  /** Whether the session is one of a bot. */
  readonly isBot: boolean;
  readonly sessionId: string;
}

/** `day|sessionId`, with a letter after the day for a bot. The session id may itself contain the separator. */
export function encodeSessionKey({ day, isBot, sessionId }: SessionKey): string {
  return `${sessionDayText(day, isBot)}|${sessionId}`;
}

/** @throws EncodingError */
export function decodeSessionKey(text: string): SessionKey {
  const separator = text.indexOf("|");
  const session = readSessionDay(text.slice(0, Math.max(separator, 0)));
  if (!session) throw new EncodingError("a session key", "day|sessionId", text);
  return { ...session, sessionId: text.slice(separator + 1) };
}

/**
 * The time from which the times of a local day are stored, epoch ms: not after its start. It does not depend on the rules of the zone,
 * which change with the release of Node.js, because stored times must keep their meaning.
 * @param day epoch day
 */
export function originOfDay(day: number, zone: TimeZone): number {
  return zone === TimeZone.UTC ? dayStart(day) : dayStart(day) - DAY_MS;
}

/**
 * Intervals of one session of one day, between steps and as stored state: for each, its first time as ms from `origin`, and its
 * duration in ms, as varints. Jobs resume from it, so the format must not change.
 * @param origin epoch ms, not after the first interval: `originOfDay`, or 0 for intervals that are relative to it
 */
export function encodeIntervals(intervals: readonly Interval[], origin = 0): Uint8Array {
  const writer = new VarintWriter(16 * intervals.length);
  for (const [first, last] of intervals) writer.unsigned(first - origin).unsigned(last - first);
  return writer.finish();
}

/** @throws EncodingError */
export function decodeIntervals(encoded: Uint8Array, origin = 0): Interval[] {
  const intervals: Interval[] = [];
  const reader = new VarintReader(encoded);
  while (!reader.atEnd) {
    const first = reader.unsigned();
    const duration = reader.unsigned();
    if (first === undefined || duration === undefined) {
      throw new EncodingError("session intervals", "pairs of a time of the day and a duration, in ms", encoded);
    }
    intervals.push([origin + first, origin + first + duration]);
  }
  return intervals;
}

export const intervalsCoder: Coder<readonly Interval[]> = byteCoder(
  (intervals) => encodeIntervals(intervals),
  (encoded) => decodeIntervals(encoded),
);
