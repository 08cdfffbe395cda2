import "@eventlogger/beam/sdk";
import type { Coder } from "apache-beam/coders/coders";
import type { Interval } from "@eventlogger/events/sessions/sessionIntervals";
import { decodeEntries, EncodingError, textCoder } from "../textEncoding";

/** The key of the session windows. */
export interface SessionKey {
  /** Epoch day. */
  readonly day: number;
  readonly sessionId: string;
}

/** `day|sessionId`. The session id may itself contain the separator. */
export function encodeSessionKey({ day, sessionId }: SessionKey): string {
  return `${day}|${sessionId}`;
}

/** @throws EncodingError */
export function decodeSessionKey(text: string): SessionKey {
  const separator = text.indexOf("|");
  const day = text.slice(0, Math.max(separator, 0));
  if (!/^-?\d+$/.test(day)) throw new EncodingError("a session key", "day|sessionId", text);
  return { day: Number(day), sessionId: text.slice(separator + 1) };
}

/** The interval with these bounds, or undefined when they are not integers in ascending order. */
function intervalOf(first: unknown, last: unknown): Interval | undefined {
  const isInterval = Number.isSafeInteger(first) && Number.isSafeInteger(last) && (first as number) <= (last as number);
  return isInterval ? [first as number, last as number] : undefined;
}

/** Intervals of one session: `first,last;first,last`, epoch ms. */
export function encodeIntervals(intervals: readonly Interval[]): string {
  return intervals.map(([first, last]) => `${first},${last}`).join(";");
}

/** @throws EncodingError */
export function decodeIntervals(text: string): Interval[] {
  return text.split(";").map((interval) => {
    const bounds = /^(-?\d+),(-?\d+)$/.exec(interval);
    const decoded = bounds && intervalOf(Number(bounds[1]), Number(bounds[2]));
    if (!decoded) throw new EncodingError("session intervals", "first,last;first,last;… in epoch ms", text);
    return decoded;
  });
}

/** Intervals of one session, within the shard of its day. */
export interface SessionPartial {
  readonly sessionId: string;
  readonly intervals: readonly Interval[];
}

/**
 * Partials of one shard, between two steps and in stored state: the JSON list `[[sessionId, first, last, …], …]`. Jobs
 * resume from it, so the format must not change.
 */
export function encodePartials(partials: readonly SessionPartial[]): string {
  return JSON.stringify(partials.map(({ sessionId, intervals }) => [sessionId, ...intervals.flat()]));
}

function decodeBounds(bounds: readonly unknown[]): Interval[] | undefined {
  const intervals: Interval[] = [];
  for (let i = 0; i < bounds.length; i += 2) {
    const interval = intervalOf(bounds[i], bounds[i + 1]);
    if (!interval) return undefined;
    intervals.push(interval);
  }
  return intervals;
}

/** @throws EncodingError */
export function decodePartials(text: string): SessionPartial[] {
  const format = "the JSON list [[sessionId, first, last, …], …]";
  return decodeEntries("partial sessions", format, text, (sessionId, bounds) => {
    const intervals = decodeBounds(bounds);
    return intervals && { sessionId, intervals };
  });
}

export const sessionPartialsCoder: Coder<SessionPartial[]> = textCoder(encodePartials, decodePartials);
