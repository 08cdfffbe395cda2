/** The greatest week offset that is counted: the cohort's week itself is 0. */
export const MAX_WEEK_OFFSET = 53;

/**
 * A change of the persons of one cohort who were active in one week. A cohort are the persons whose first active day is in the same ISO
 * week. Deltas of a cohort and offset can be added in any order.
 */
export interface RetentionDelta {
  /** Epoch day of the Monday of the cohort's week. */
  readonly cohortWeek: number;
  /** Weeks after the cohort's week: 0 to {@link MAX_WEEK_OFFSET}. Offset 0 counts all persons of the cohort. */
  readonly weekOffset: number;
  readonly persons: number;
}

/**
 * The absolute count of one cohort and week as the pipeline emits it: one value for each offset that changed in a bundle. The highest
 * version of a pair (cohortWeek, weekOffset) of a generation is the current one; a pair without any has no persons. The values that a
 * bundle emits for a cohort have the same version.
 */
export interface RetentionVersion extends RetentionDelta {
  /** The generation that the count belongs to. */
  readonly generation: number;
  /** Higher than every earlier version of the cohort in that generation. */
  readonly version: number;
  /** When the version was created; epoch milliseconds. */
  readonly updatedAt: number;
}
