import { dayFromCalendar, DAY_MS } from "./day";

/** Numbers from this value on are epoch milliseconds, smaller ones epoch seconds (1e11 s is the year 5138, 1e11 ms 1973). */
export const EPOCH_MS_FROM = 1e11;

/** How far an event time may be ahead of the time of receipt, to tolerate clocks of apps that are fast; ms. */
export const MAX_FUTURE_MS = 24 * 3_600_000;

/** The first and the last millisecond that a TIMESTAMP of BigQuery holds (years 1 to 9999); epoch ms. */
export const FIRST_TIME_MS = -62_135_596_800_000;
export const LAST_TIME_MS = 253_402_300_799_999;

/** An event time in epoch milliseconds, or the problem, as the end of a sentence that begins with the field's name. */
export type ParsedEventTime = { readonly ms: number } | { readonly problem: string };

const NOT_ISO = {
  problem:
    "must be an ISO 8601 date or date-time such as 2024-05-17T08:30:00.250Z, 2024-05-17T10:30+02:00 or 2024-05-17 (send epoch times as a number)",
};
const NOT_FINITE = { problem: "must be a finite number" };
const TOO_LATE = "must not be more than 24 hours in the future";

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,20}))?)?(?:([Zz])|([+-])(\d{2})(?::?(\d{2}))?)?)?$/;

/** Milliseconds from the decimals of a second. Truncated: rounding could move an event to the next day. */
function fractionMs(digits: string): number {
  return Number(digits.slice(0, 3).padEnd(3, "0"));
}

/** Numeric text. Shorter texts are more likely dates, such as 20240517, than epoch times. */
const NUMERIC = /^(\d{9,})(?:\.(\d{1,20}))?$/;

/** Epoch seconds or milliseconds as decimal text, truncated to milliseconds. */
function parseDecimal(whole: string, fraction = ""): ParsedEventTime {
  const value = Number(whole);
  if (!Number.isFinite(value)) return NOT_FINITE;
  return { ms: value >= EPOCH_MS_FROM ? value : value * 1000 + fractionMs(fraction) };
}

/**
 * ISO 8601, extended calendar format. A date alone means midnight UTC. A time without a zone is UTC; Date.parse would use
 * the machine's zone.
 */
function parseIso(text: string): ParsedEventTime {
  const m = ISO.exec(text);
  if (!m) return NOT_ISO;
  const day = dayFromCalendar(Number(m[1]), Number(m[2]), Number(m[3]));
  if (day === undefined) return { problem: `is not a calendar date: ${text.slice(0, 10)}` };
  if (m[4] === undefined) return { ms: day * DAY_MS };
  const hours = Number(m[4]);
  const minutes = Number(m[5]);
  const seconds = Number(m[6] ?? 0);
  if (hours > 23 || minutes > 59 || seconds > 59) {
    return { problem: `is not a time of day (00:00:00 to 23:59:59): ${text.slice(11, 19)}` };
  }
  let ms = day * DAY_MS + hours * 3_600_000 + minutes * 60_000 + seconds * 1000;
  if (m[7] !== undefined) ms += fractionMs(m[7]);
  if (m[9] !== undefined) {
    const offsetHours = Number(m[10]);
    const offsetMinutes = Number(m[11] ?? 0);
    if (offsetHours > 23 || offsetMinutes > 59) return { problem: "must have a zone offset of at most 23:59" };
    const offsetMs = offsetHours * 3_600_000 + offsetMinutes * 60_000;
    ms += m[9] === "+" ? -offsetMs : offsetMs;
  }
  return { ms };
}

function parseNumber(value: number): ParsedEventTime {
  if (!Number.isFinite(value)) return NOT_FINITE;
  if (value >= EPOCH_MS_FROM) return { ms: Math.floor(value) };
  // + 0 turns -0 into 0.
  if (Number.isInteger(value)) return { ms: value * 1000 + 0 };
  if (value > 0) {
    // A double holds every number of up to 15 digits, such as these with three decimals.
    const ms = Math.round(value * 1000);
    if (ms / 1000 === value) return { ms };
  }
  // value * 1000 may be just below or above the number that the sender wrote; its decimal text is not.
  const [whole = "", fraction] = String(value).split(".");
  return value < 0 || fraction === undefined || fraction.includes("e")
    ? { ms: Math.floor(value * 1000) }
    : parseDecimal(whole, fraction);
}

function parseText(text: string): ParsedEventTime {
  const numeric = NUMERIC.exec(text);
  return numeric ? parseDecimal(numeric[1] ?? "", numeric[2]) : parseIso(text);
}

/**
 * Reads a time: a number, or numeric text of at least 9 digits, is epoch seconds or, from 1e11 on, epoch
 * milliseconds; other text is ISO 8601 (UTC when it has no zone). Fractions of a millisecond are cut off: a time never moves
 * forward.
 * @returns epoch milliseconds, an integer; or the problem
 */
export function readTime(value: number | string): ParsedEventTime {
  return typeof value === "number" ? parseNumber(value) : parseText(value);
}

/**
 * Why a time cannot be that of an event: it is before `earliest`, or more than 24 hours after `receivedAt`; undefined when it can.
 * All times are epoch milliseconds.
 * @param earliest not negative
 */
export function eventTimeProblem(ms: number, receivedAt: number, earliest: number): string | undefined {
  if (ms < earliest) return `must not be before ${new Date(earliest).toISOString().replace(".000Z", "Z")}`;
  return ms > receivedAt + MAX_FUTURE_MS ? TOO_LATE : undefined;
}

/**
 * Reads an event time (see {@link readTime}) and checks it (see {@link eventTimeProblem}).
 * @returns epoch milliseconds, an integer; or the problem
 */
export function parseEventTime(value: number | string, receivedAt: number, earliest = 0): ParsedEventTime {
  const parsed = readTime(value);
  if ("problem" in parsed) return parsed;
  const problem = eventTimeProblem(parsed.ms, receivedAt, earliest);
  return problem === undefined ? parsed : { problem };
}
