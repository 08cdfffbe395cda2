import { isPlaceholderId } from "../placeholderIds";
import type { FieldWarning } from "./fieldProblems";

/** The fields that identify a person. */
export type PersonField = "user_id" | "anonymous_id";

/** What identifies the person of an event, and the warning when there is something wrong with it. */
export interface PersonId {
  readonly id: string | null;
  readonly warning?: FieldWarning;
}

const ABSENT: PersonId = { id: null };
const IDENTIFIED = { user_id: "a user", anonymous_id: "a device or browser" } as const;

/** An id of a posted event: a placeholder becomes null, with a warning. */
export function postedPersonId(field: PersonField, given: string | number | boolean | null | undefined): PersonId {
  if (given === undefined || given === null) return ABSENT;
  const id = String(given);
  if (!isPlaceholderId(id)) return { id };
  const message = `must identify ${IDENTIFIED[field]}; the placeholder ${JSON.stringify(given)} was read as null`;
  return { id: null, warning: { field, code: "placeholder", message } };
}
