/** Result of checks on resources that a run needs. */
export interface Diagnostics {
  /** Reasons why a run cannot succeed: one sentence each, then what to do. */
  readonly problems: readonly string[];
  /** Settings that may be intended, and checks that could not be made. */
  readonly warnings: readonly string[];
}

export const NO_DIAGNOSTICS: Diagnostics = { problems: [], warnings: [] };

/** Diagnostics with one problem. */
export function problem(text: string): Diagnostics {
  return { problems: [text], warnings: [] };
}

/** All problems and warnings of several checks, in order. */
export function mergeDiagnostics(diagnostics: readonly Diagnostics[]): Diagnostics {
  return {
    problems: diagnostics.flatMap(({ problems }) => problems),
    warnings: diagnostics.flatMap(({ warnings }) => warnings),
  };
}
