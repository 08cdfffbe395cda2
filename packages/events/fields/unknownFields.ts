/**
 * Fields of an event that this release does not know. They are kept in its `properties`, so that an app that is ahead of the
 * server loses nothing.
 */
import { inexactNumber, mayHaveMarks } from "../exactJson";
import type { JsonObject } from "../event";
import { checkProperties, MAX_PROPERTIES_DEPTH } from "../properties";

/** The key of `properties` under which unknown fields are kept. */
export const UNKNOWN_FIELDS = "_unknown_fields";

/** The largest JSON of the unknown fields of an event, in UTF-8 bytes. They do not count towards the limit of `properties`. */
export const MAX_UNKNOWN_BYTES = 16 * 1024;

/** The names of an object's fields that are not among the known ones; undefined when there are none, as nearly always. */
export function unknownNames(input: object, isKnown: (name: string) => boolean): readonly string[] | undefined {
  let unknown: string[] | undefined;
  for (const name of Object.keys(input)) if (!isKnown(name)) (unknown ??= []).push(name);
  return unknown;
}

/** Properties of an event with their JSON, or why the unknown fields cannot be kept. */
export type KeptFields = { readonly properties: JsonObject; readonly json: string } | { readonly problem: string };

/**
 * Adds unknown fields to the properties of an event. A number that would lose digits is kept as text.
 * @param propertiesJson JSON of `properties`
 * @returns a problem as the end of a sentence that begins with the name of a field
 */
export function keepUnknownFields(
  input: object,
  names: readonly string[],
  properties: JsonObject | null,
  propertiesJson: string,
): KeptFields {
  const given = Object.fromEntries(names.map((name) => [name, (input as Record<string, unknown>)[name]]));
  const unknown = mayHaveMarks() ? withoutMarks(given, 1) : given;
  const checked = checkProperties(unknown as object, MAX_UNKNOWN_BYTES);
  if ("problem" in checked) return checked;
  const kept = unknown as JsonObject;
  if (properties === null)
    return { properties: { [UNKNOWN_FIELDS]: kept }, json: `{"${UNKNOWN_FIELDS}":${checked.json}}` };
  const own = properties[UNKNOWN_FIELDS];
  if (own !== undefined) {
    // A sender may have kept unknown fields in the same way.
    const all = typeof own === "object" && own !== null && !Array.isArray(own) ? { ...own, ...kept } : kept;
    const merged = { ...properties, [UNKNOWN_FIELDS]: all };
    return { properties: merged, json: JSON.stringify(merged) };
  }
  const separator = propertiesJson === "{}" ? "" : ",";
  return {
    properties: { ...properties, [UNKNOWN_FIELDS]: kept },
    json: `${propertiesJson.slice(0, -1)}${separator}"${UNKNOWN_FIELDS}":${checked.json}}`,
  };
}

/** The value with the digits of numbers in place of their marks (exactJson.ts). What is nested too deep is refused later. */
function withoutMarks(value: unknown, depth: number): unknown {
  const digits = inexactNumber(value);
  if (digits !== undefined) return digits;
  if (typeof value !== "object" || value === null || depth > MAX_PROPERTIES_DEPTH) return value;
  if (Array.isArray(value)) return value.map((item) => withoutMarks(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, own]) => [name, withoutMarks(own, depth + 1)]));
}
