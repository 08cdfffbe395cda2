/**
 * What apps send as a `user_id` when they have none: an unset variable turned into text, or a default of their database.
 * Counting one as a user would merge everybody without an id into one person.
 */
export const PLACEHOLDER_IDS: readonly string[] = [
  "",
  "null",
  "undefined",
  "none",
  "nan",
  "anonymous",
  "[object object]",
  "0",
  "-1",
  "true",
  "false",
  "00000000-0000-0000-0000-000000000000",
];

const placeholders = new Set(PLACEHOLDER_IDS);

/** Whether an id is a placeholder, in any case and with any white space around it. */
export function isPlaceholderId(id: string): boolean {
  return placeholders.has(id.trim().toLowerCase());
}
