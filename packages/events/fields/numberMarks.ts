import { inexactNumber, mayHaveMarks } from "../exactJson";
import { REPLACED_TEXTS } from "./surrogateHalves";

/** Fields whose numbers are read as text, with every digit. */
const ID_FIELDS = ["event_id", "session_id", "user_id", "anonymous_id"] as const;
/** Fields whose numbers are read, or refused, as doubles. */
const OTHER_FIELDS = [...REPLACED_TEXTS, "type", "event_time", "sent_at", "referrer", "properties"] as const;

/** A posted event with numbers in place of their marks (exactJson.ts). Does not look into `properties` and unknown fields. */
export function readMarks(input: object): object {
  if (!mayHaveMarks()) return input;
  const fields = input as Readonly<Record<string, unknown>>;
  let read: Record<string, unknown> | undefined;
  for (const name of ID_FIELDS) {
    const number = inexactNumber(fields[name]);
    if (number !== undefined) (read ??= { ...fields })[name] = number;
  }
  for (const name of OTHER_FIELDS) {
    const number = inexactNumber(fields[name]);
    if (number !== undefined) (read ??= { ...fields })[name] = Number(number);
  }
  return read ?? input;
}
