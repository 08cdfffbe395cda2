import { formatDuration } from "./duration";

/** A check for numbers: a whole number from min to max. */
export function wholeNumber(min: number, max: number): (n: number) => string | undefined {
  return (n) =>
    Number.isInteger(n) && n >= min && n <= max ? undefined : `must be a whole number from ${min} to ${max}`;
}

/** A check for durations: from min to max; ms. */
export function between(min: number, max: number): (ms: number) => string | undefined {
  return (ms) => (ms >= min && ms <= max ? undefined : `must be from ${formatDuration(min)} to ${formatDuration(max)}`);
}

/** A check for durations: at least min; ms. */
export function atLeast(min: number): (ms: number) => string | undefined {
  return (ms) => (ms >= min ? undefined : `must be at least ${formatDuration(min)}`);
}

/** A check for strings: the whole value matches a pattern. @param rule what it must be, for the error */
export function matches(pattern: RegExp, rule: string): (value: string) => string | undefined {
  return (value) => (pattern.test(value) ? undefined : `must be ${rule}`);
}
