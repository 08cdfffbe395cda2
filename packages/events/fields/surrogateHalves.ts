import type { AnalyticsEvent } from "../event";
import { isWellFormed, toWellFormed, toWellFormedJson } from "../wellFormed";
import type { FieldWarning } from "./fieldProblems";

/** The texts of an event in which half of a surrogate pair is replaced. Ids with one are refused. */
export const REPLACED_TEXTS = ["event_name", "page", "country", "region", "city", "app", "platform"] as const;

/** Whether JSON of JSON.stringify may have half of a surrogate pair: it escapes halves only. */
function mayHaveHalf(json: string): boolean {
  return json.includes("\\ud");
}

/** Whether texts or names of a value have half of a surrogate pair. @param json of the value */
export function hasSurrogateHalf(value: object, json: string): boolean {
  return mayHaveHalf(json) && JSON.stringify(toWellFormedJson(value)) !== json;
}

function replacedWarning(field: string): FieldWarning {
  const message = "must be well-formed Unicode; half of a surrogate pair in it was replaced by U+FFFD";
  return { field, code: "replaced", message };
}

/**
 * Replaces each half of a surrogate pair in the texts of an event, with a warning for each field.
 * @param json of the properties
 * @returns JSON of the properties
 */
export function replaceHalves(event: AnalyticsEvent, json: string, warnings: FieldWarning[]): string {
  for (const name of REPLACED_TEXTS) {
    const text = event[name];
    if (text === null || isWellFormed(text)) continue;
    event[name] = toWellFormed(text);
    warnings.push(replacedWarning(name));
  }
  if (event.properties === null || !hasSurrogateHalf(event.properties, json)) return json;
  event.properties = toWellFormedJson(event.properties);
  warnings.push(replacedWarning("properties"));
  return JSON.stringify(event.properties);
}
