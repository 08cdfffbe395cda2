/**
 * UTC calendar days as integers: the number of days since 1970-01-01 ("epoch day"). Day arithmetic is integer arithmetic,
 * and the machine's time zone has no effect.
 */

/** Milliseconds in a UTC day. */
export const DAY_MS = 86_400_000;

/** The epoch day of a moment in epoch milliseconds. */
export function dayOf(epochMs: number): number {
  return Math.floor(epochMs / DAY_MS);
}

/** The first millisecond of an epoch day. */
export function dayStart(day: number): number {
  return day * DAY_MS;
}

const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysInMonth(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && leap ? 29 : (DAYS_IN_MONTH[month - 1] ?? 0);
}

/**
 * The epoch day of a date of the Gregorian calendar; undefined when the date does not exist (30 February, month 13).
 * Date.UTC does not fit: it reads the years 0 to 99 as 1900 to 1999 and rolls 30 February over into March.
 * Algorithm: days_from_civil, https://howardhinnant.github.io/date_algorithms.html
 */
export function dayFromCalendar(year: number, month: number, dayOfMonth: number): number | undefined {
  if (dayOfMonth < 1 || dayOfMonth > daysInMonth(year, month)) return undefined;
  const y = month <= 2 ? year - 1 : year; // counting years from March puts the leap day last
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + dayOfMonth - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Dates of days that {@link dayToIso} was asked for: most events of a moment have the same few. */
const isoDates = new Map<number, string>();
const MAX_ISO_DATES = 64;

/** `2024-05-17` for an epoch day of the years 0 to 9999. */
export function dayToIso(day: number): string {
  const known = isoDates.get(day);
  if (known !== undefined) return known;
  const iso = new Date(day * DAY_MS).toISOString().slice(0, 10);
  if (isoDates.size >= MAX_ISO_DATES) isoDates.clear();
  isoDates.set(day, iso);
  return iso;
}

const twoDigits = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, "0"));

/**
 * `2024-05-17T08:30:00.250Z` for integer epoch milliseconds of the years 0 to 9999: the text of `Date.prototype.toISOString`, at
 * a quarter of its cost.
 */
export function timeToIso(epochMs: number): string {
  const day = dayOf(epochMs);
  const ms = epochMs - day * DAY_MS;
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const fraction = String(1000 + ms - seconds * 1000).slice(1);
  return `${dayToIso(day)}T${twoDigits[hours]}:${twoDigits[minutes - hours * 60]}:${twoDigits[seconds - minutes * 60]}.${fraction}Z`;
}

/** `17/05/2024` for an epoch day of the years 0 to 9999: how `GET /event/` writes dates. */
export function dayToDdMmYyyy(day: number): string {
  const iso = dayToIso(day);
  return `${iso.slice(8, 10)}/${iso.slice(5, 7)}/${iso.slice(0, 4)}`;
}

/** The epoch day of `YYYY-MM-DD`; undefined when the text has another format or the date does not exist. */
export function dayFromIso(text: string): number | undefined {
  const m = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  return m ? dayFromCalendar(Number(m[1]), Number(m[2]), Number(m[3])) : undefined;
}

/** The epoch day of `dd/mm/yyyy`; undefined when the text has another format or the date does not exist. */
export function dayFromDdMmYyyy(text: string): number | undefined {
  const m = /^(\d{2})\/(\d{2})\/(\d{4})$/.exec(text);
  return m ? dayFromCalendar(Number(m[3]), Number(m[2]), Number(m[1])) : undefined;
}

/** The epoch day of `YYYY-MM-DD` or `dd/mm/yyyy`, the two formats that readers may use; undefined otherwise. */
export function parseDay(text: string): number | undefined {
  return dayFromIso(text) ?? dayFromDdMmYyyy(text);
}
