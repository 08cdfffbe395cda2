import { randomUUID } from "node:crypto";

/**
 * JSON.parse reads a number as a double and silently changes numbers that a double cannot hold: 9007199254740993 becomes
 * 9007199254740992, and 1e400 becomes Infinity. Here such a number becomes a mark, a string that no sender can guess, so
 * that validation can name it.
 */

// A new value in each process.
const MARK = `inexact number ${randomUUID()} `;

/** Whether this process has made a mark: as long as it has not, nothing needs to be searched for them. */
let hasMarked = false;

/** Whether there can be marks in parsed values. */
export function mayHaveMarks(): boolean {
  return hasMarked;
}

/** The digits of a number that a double cannot hold, when `value` is its mark; undefined for any other value. */
export function inexactNumber(value: unknown): string | undefined {
  return hasMarked && typeof value === "string" && value.length > MARK.length && value.startsWith(MARK)
    ? value.slice(MARK.length)
    : undefined;
}

/** Digits that a double always keeps. */
const SAFE_DIGITS = 15;
/** Digits that identify a double. */
const MAX_DIGITS = 17;
/** Numbers of at most 15 digits keep them within these powers of ten. */
const MAX_SAFE_POWER = 290;

/** A decimal number as `0.digits * 10^power`, without zeros at either end of the digits; zero has none. */
interface Decimal {
  readonly digits: string;
  readonly power: number;
}

/** @param text a number as JSON writes it */
function decimalOf(text: string): Decimal {
  const [mantissa = "", exponent = "0"] = (text.startsWith("-") ? text.slice(1) : text).split(/[eE]/);
  const [whole = "", fraction = ""] = mantissa.split(".");
  const all = whole + fraction;
  const first = all.search(/[1-9]/);
  if (first < 0) return { digits: "", power: 0 };
  let end = all.length;
  while (all.charCodeAt(end - 1) === ZERO) end--;
  return { digits: all.slice(first, end), power: whole.length - first + Number(exponent) };
}

/**
 * Whether a double holds a number of JSON: every digit of a whole number, and a fraction of at most 17 digits, which is as
 * much as a program that computes with doubles can mean.
 */
export function isExactNumber(text: string): boolean {
  const { digits, power } = decimalOf(text);
  if (digits.length <= SAFE_DIGITS && Math.abs(power) <= MAX_SAFE_POWER) return true;
  const double = Number(text);
  if (!Number.isFinite(double) || double === 0) return digits === "";
  const kept = decimalOf(String(double));
  if (kept.digits === digits && kept.power === power) return true;
  return power < digits.length && digits.length <= MAX_DIGITS && Math.abs(power) <= MAX_SAFE_POWER;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const NINE = 0x39;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const UPPER_E = 0x45;
const LOWER_E = 0x65;

const isDigit = (c: number): boolean => c >= ZERO && c <= NINE;
const isExponent = (c: number): boolean => c === UPPER_E || c === LOWER_E;
const isNumberPart = (c: number): boolean => isDigit(c) || c === DOT || c === PLUS || c === MINUS || isExponent(c);

/** The index after the string that begins at `start`. */
function endOfString(json: string, start: number): number {
  for (let i = start + 1; ; i++) {
    i = json.indexOf('"', i);
    if (i < 0) return json.length;
    let escapes = 0;
    while (json.charCodeAt(i - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return i + 1;
  }
}

/**
 * Replaces the numbers that a double cannot hold by their marks.
 * @param json valid JSON
 * @returns undefined when there are none
 */
function markInexactNumbers(json: string): string | undefined {
  let marked: string[] | undefined;
  let copied = 0;
  for (let i = 0; i < json.length;) {
    const c = json.charCodeAt(i);
    if (c === QUOTE) i = endOfString(json, i);
    else if (c === MINUS || isDigit(c)) {
      const start = i;
      let hasExponent = false;
      for (let part = c; isNumberPart(part); part = json.charCodeAt(++i)) hasExponent ||= isExponent(part);
      if (i - start <= SAFE_DIGITS && !hasExponent) continue;
      const number = json.slice(start, i);
      if (isExactNumber(number)) continue;
      (marked ??= []).push(json.slice(copied, start), `"${MARK}${number}"`);
      copied = i;
    } else i++;
  }
  if (marked === undefined) return undefined;
  hasMarked = true;
  marked.push(json.slice(copied));
  return marked.join("");
}

/**
 * Parses JSON like JSON.parse, with a mark in place of each number that a double cannot hold.
 * @throws SyntaxError as JSON.parse does
 */
export function parseExactJson(json: string): unknown {
  const value = JSON.parse(json) as unknown;
  const marked = markInexactNumbers(json);
  return marked === undefined ? value : (JSON.parse(marked) as unknown);
}
