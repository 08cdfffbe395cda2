/** What travels between stages: keyed texts, so that every runner knows the coder. Keys and JSON values by name. */
import type { DayDelta } from "@eventlogger/events/totals/totals";
import type { Interval } from "@eventlogger/events/sessions/sessionIntervals";

/** Key of the session windows. */
export function sessionKey(day: number, sessionId: string): string {
  return `${day}|${sessionId}`;
}

/** The parts of a session key; the session id may itself contain the separator. */
export function parseSessionKey(key: string): { day: number; sessionId: string } {
  const at = key.indexOf("|");
  return { day: Number(key.slice(0, at)), sessionId: key.slice(at + 1) };
}

/** `first,last`, epoch ms. */
export function encodeInterval([first, last]: Interval): string {
  return `${first},${last}`;
}

export function decodeInterval(text: string): Interval {
  const at = text.indexOf(",");
  return [Number(text.slice(0, at)), Number(text.slice(at + 1))];
}

/** Intervals of sessions in one bucket: session id, then first and last of each interval. */
export type SessionPartials = [sessionId: string, ...bounds: number[]][];

export function encodePartial(sessionId: string, intervals: readonly Interval[]): SessionPartials[number] {
  return [sessionId, ...intervals.flat()];
}

export function intervalsOf([, ...bounds]: SessionPartials[number]): Interval[] {
  const intervals: Interval[] = [];
  for (let i = 0; i + 1 < bounds.length; i += 2) intervals.push([bounds[i] as number, bounds[i + 1] as number]);
  return intervals;
}

/** Active days of users in one bucket: user id, then epoch days. */
export type UserDays = [userId: string, ...days: number[]][];

/** A delta without its day, which is the key. */
export function encodeDelta(delta: DayDelta): string {
  return JSON.stringify([delta.sessions, delta.durationMs, delta.activeUsers, delta.newUsers]);
}

export function decodeDelta(day: number, text: string): DayDelta {
  const [sessions, durationMs, activeUsers, newUsers] = JSON.parse(text) as [number, number, number, number];
  return { day, sessions, durationMs, activeUsers, newUsers };
}
