/** What a look at things that are needed has found. */
export interface Findings {
  /** Why a run cannot succeed, one sentence each, with what to do. */
  readonly problems: readonly string[];
  /** What may be meant so, or could not be looked at. */
  readonly warnings: readonly string[];
}

export const NOTHING_FOUND: Findings = { problems: [], warnings: [] };

/** All of several findings, in their order. */
export function allFindings(findings: readonly Findings[]): Findings {
  return {
    problems: findings.flatMap(({ problems }) => problems),
    warnings: findings.flatMap(({ warnings }) => warnings),
  };
}
