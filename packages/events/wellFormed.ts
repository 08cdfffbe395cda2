/** Methods of ECMAScript 2024, which the compiler's library does not know. */
interface WellFormedString {
  isWellFormed(): boolean;
  toWellFormed(): string;
}

const methodsOf = (text: string): WellFormedString => text as unknown as WellFormedString;

/** Whether a text has no half of a surrogate pair: what is left of a character that the text was cut in. */
export function isWellFormed(text: string): boolean {
  return methodsOf(text).isWellFormed();
}

/** The text with U+FFFD in place of each half of a surrogate pair. Such a half has no UTF-8 form. */
export function toWellFormed(text: string): string {
  return methodsOf(text).toWellFormed();
}

/** A JSON value with well-formed texts and names. Of two names that become one, the last value stays. */
export function toWellFormedJson<T>(value: T): T {
  return withTexts(value) as T;
}

function withTexts(value: unknown): unknown {
  if (typeof value === "string") return toWellFormed(value);
  if (Array.isArray(value)) return value.map(withTexts);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, own]) => [toWellFormed(name), withTexts(own)]));
}
