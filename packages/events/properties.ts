import { inexactNumber } from "./exactJson";

/** The largest JSON of `properties`, in UTF-8 bytes. */
export const MAX_PROPERTIES_BYTES = 16 * 1024;

/** The largest JSON of `properties` in a message, in UTF-8 bytes: they may hold unknown fields too. */
export const MAX_PUBLISHED_PROPERTIES_BYTES = 64 * 1024;

/** Maximum nesting depth of `properties`; well below the limits of recursive readers such as BigQuery's JSON functions. */
export const MAX_PROPERTIES_DEPTH = 100;

function stringProblem(value: string): string | undefined {
  const number = inexactNumber(value);
  return number === undefined
    ? undefined
    : `must not hold the number ${cut(number)}, which would lose digits (send it as a string)`;
}

const cut = (number: string): string => (number.length > 40 ? `${number.slice(0, 40)}…` : number);

/** Why a value would change in a JSON round trip; undefined when it would not. */
function jsonProblem(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case "string":
      return stringProblem(value);
    case "boolean":
      return undefined;
    case "number":
      // JSON.parse turns 1e400 into Infinity, and JSON.stringify turns Infinity into null.
      return Number.isFinite(value) ? undefined : "must hold finite numbers only";
    case "object":
      return value === null ? undefined : containerProblem(value, depth);
    case "bigint":
    case "function":
    case "symbol":
    case "undefined":
      return "must hold JSON values only";
  }
}

function containerProblem(value: object, depth: number): string | undefined {
  // Also stops the recursion in an object that contains itself.
  if (depth > MAX_PROPERTIES_DEPTH) return `must not nest deeper than ${MAX_PROPERTIES_DEPTH} levels`;
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) {
      const problem = jsonProblem(item, depth + 1);
      if (problem) return problem;
    }
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return "must hold JSON values only";
  for (const key of Object.keys(value)) {
    const problem = jsonProblem(key, depth) ?? jsonProblem((value as Record<string, unknown>)[key], depth + 1);
    if (problem) return problem;
  }
  return undefined;
}

/** JSON of valid properties, or the problem, as the end of a sentence that begins with the field's name. */
export type CheckedProperties = { readonly json: string } | { readonly problem: string };

/**
 * Checks the `properties` of an event: size, depth, and that a JSON round trip does not change them.
 * @param maxBytes maximum size of the JSON in UTF-8; bytes
 */
export function checkProperties(value: object, maxBytes = MAX_PROPERTIES_BYTES): CheckedProperties {
  const problem = containerProblem(value, 1);
  if (problem) return { problem };
  const json = JSON.stringify(value);
  // A UTF-16 unit takes at most 3 bytes of UTF-8, so most objects need no exact count.
  if (json.length * 3 <= maxBytes) return { json };
  const bytes = Buffer.byteLength(json, "utf8");
  return bytes <= maxBytes ? { json } : { problem: `must be at most ${maxBytes} bytes as JSON in UTF-8, not ${bytes}` };
}
