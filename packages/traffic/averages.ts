/**
 * The averages of a day in exact integer arithmetic, straight from their definition in docs/numbers.md. This is the oracle for
 * the SQL that computes them in BigQuery (`@eventlogger/gcp/bigquery/averages`); production code does not use it.
 */

/** a / b to the nearest integer, halves away from zero; a >= 0 and b > 0. */
const roundedRatio = (a: bigint, b: bigint): number => Number((2n * a + b) / (2n * b));

/**
 * Average session duration in whole seconds, halves away from zero; 0 without sessions.
 * @param durationMs sum of the session durations in milliseconds: an integer >= 0
 * @param sessions number of sessions: an integer >= 0
 */
export function averageSessionDurationSec(durationMs: number | bigint, sessions: number): number {
  return sessions === 0 ? 0 : roundedRatio(BigInt(durationMs), BigInt(sessions) * 1000n);
}

/** The same in minutes with two decimals. */
export function averageSessionDurationMin(durationMs: number | bigint, sessions: number): number {
  // Hundredths of a minute (600 ms) are rounded; the one division in floating point gives the nearest double.
  return sessions === 0 ? 0 : roundedRatio(BigInt(durationMs), BigInt(sessions) * 600n) / 100;
}
