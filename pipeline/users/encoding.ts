import "@eventlogger/beam/sdk";
import type { Coder } from "apache-beam/coders/coders";
import { decodeActiveDays, encodeActiveDays, type ActiveDays } from "@eventlogger/events/users/activeDays";
import { decodeEntries, textCoder } from "../textEncoding";

/** Days on which a user was active: epoch days, in any order. */
export interface UserDays {
  readonly userId: string;
  readonly days: readonly number[];
}

/** A change in the stored log of a shard: days that were new, or, in a snapshot, the user's whole set. */
export interface UserChange {
  readonly userId: string;
  readonly days: readonly (number | ActiveDays)[];
}

const isDay = (value: unknown): value is number => Number.isSafeInteger(value);

/** Users of one shard between two steps: the JSON list `[[userId, day, …], …]`. */
export function encodeUserDays(users: readonly UserDays[]): string {
  return JSON.stringify(users.map(({ userId, days }) => [userId, ...days]));
}

/** @throws EncodingError */
export function decodeUserDays(text: string): UserDays[] {
  return decodeEntries("active days of users", "the JSON list [[userId, day, …], …]", text, (userId, days) =>
    days.every(isDay) ? { userId, days } : undefined,
  );
}

function decodeDay(value: unknown): number | ActiveDays | undefined {
  if (isDay(value)) return value;
  return typeof value === "string" ? decodeActiveDays(Buffer.from(value, "base64")) : undefined;
}

/**
 * Changes of one shard as stored state: the JSON list `[[userId, day or base64 of the set, …], …]`. Jobs resume from it,
 * so the format must not change.
 */
export function encodeUserChanges(changes: readonly UserChange[]): string {
  return JSON.stringify(
    changes.map(({ userId, days }) => [
      userId,
      ...days.map((day) => (typeof day === "number" ? day : Buffer.from(encodeActiveDays(day)).toString("base64"))),
    ]),
  );
}

/** @throws EncodingError; Error when a set has another format (activeDays.ts) */
export function decodeUserChanges(text: string): UserChange[] {
  const format = "the JSON list [[userId, day or base64 of a set, …], …]";
  return decodeEntries("stored active days of users", format, text, (userId, values) => {
    const days = values.map(decodeDay).filter((day) => day !== undefined);
    return days.length === values.length ? { userId, days } : undefined;
  });
}

export const userChangesCoder: Coder<UserChange[]> = textCoder(encodeUserChanges, decodeUserChanges);
