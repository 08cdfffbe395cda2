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

/** The counts of one cohort so far, by week offset, with the number of the last version that was emitted; 0 before the first one. */
export interface CohortTotals {
  /** Epoch day of the Monday of the cohort's week. */
  readonly cohortWeek: number;
  /** `persons[n]` were active in the n-th week after the cohort's week. Shorter when the last ones are 0. */
  readonly persons: readonly number[];
  readonly version: number;
}

/** Sums deltas by cohort and week offset. */
export class RetentionSums {
  private cohorts = new Map<number, Map<number, number>>();

  add({ cohortWeek, weekOffset, persons }: RetentionDelta): void {
    let cohort = this.cohorts.get(cohortWeek);
    if (!cohort) this.cohorts.set(cohortWeek, (cohort = new Map<number, number>()));
    cohort.set(weekOffset, (cohort.get(weekOffset) ?? 0) + persons);
  }

  /** The sums of each cohort. Omits those whose deltas cancel out. Empties the sums. */
  drain(): RetentionDelta[][] {
    const { cohorts } = this;
    this.cohorts = new Map();
    return [...cohorts]
      .map(([cohortWeek, offsets]) =>
        [...offsets].flatMap(([weekOffset, persons]) => (persons === 0 ? [] : [{ cohortWeek, weekOffset, persons }])),
      )
      .filter((deltas) => deltas.length > 0);
  }
}

/**
 * Adds deltas to the totals of their cohort; the version stays.
 * @param totals undefined for a cohort without totals
 * @throws Error when a delta is one of another cohort
 */
export function addToCohort(
  totals: CohortTotals | undefined,
  cohortWeek: number,
  deltas: readonly RetentionDelta[],
): CohortTotals {
  const sums = [...(totals?.persons ?? [])];
  for (const delta of deltas) {
    if (delta.cohortWeek !== cohortWeek) {
      throw new Error(`Cannot add a delta of the cohort ${delta.cohortWeek} to the cohort ${cohortWeek}`);
    }
    while (sums.length <= delta.weekOffset) sums.push(0);
    sums[delta.weekOffset] = (sums[delta.weekOffset] ?? 0) + delta.persons;
  }
  return { cohortWeek, persons: sums, version: totals?.version ?? 0 };
}
