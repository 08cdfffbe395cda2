/** What is wrong with one field. A problem of the body as a whole has the field "". */
export interface FieldError {
  field: string;
  /** The end of a sentence that begins with the field's name: `must be a string of 1 to 128 characters`. */
  message: string;
}

/**
 * The kind of a warning. Stable, for machines.
 * - `placeholder`: an id that identifies nobody was read as null
 * - `conflict`: another event of the batch has the same `event_id` and other content
 * - `replaced`: half of a surrogate pair was replaced
 * - `misspelled`: the field is unknown, and its name resembles that of a known one
 * - `corrected`: the event time was corrected, because the clock of the sender is wrong
 * - `ignored`: the value has no meaning, and was read as null
 * - `dropped`: unknown fields could not be kept
 * - `unknown`: a batch has no such field, and it was ignored
 */
export type WarningCode =
  "placeholder" | "conflict" | "replaced" | "misspelled" | "corrected" | "ignored" | "dropped" | "unknown";

/** Something about a field of an accepted event that its sender should know. */
export interface FieldWarning {
  readonly field: string;
  readonly code: WarningCode;
  /** The end of a sentence that begins with the field's name. */
  readonly message: string;
}
