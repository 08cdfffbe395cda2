/**
 * The averages of a day, in exact integer arithmetic: a floating point quotient can fall on the wrong side of a half,
 * and SQL would then disagree.
 */

/**
 * numerator / denominator to the nearest integer, halves away from zero.
 * @param numerator an integer
 * @param denominator an integer > 0
 */
function divideRounded(numerator: number, denominator: number): number {
  if (!Number.isSafeInteger(numerator * 2) || !Number.isSafeInteger(denominator * 2)) {
    return Number(divideRoundedBig(BigInt(numerator), BigInt(denominator)));
  }
  const remainder = numerator % denominator;
  const quotient = (numerator - remainder) / denominator;
  return Math.abs(remainder) * 2 >= denominator ? quotient + Math.sign(numerator) : quotient + 0;
}

function divideRoundedBig(numerator: bigint, denominator: bigint): bigint {
  const magnitude = numerator < 0n ? -numerator : numerator;
  const rounded = (2n * magnitude + denominator) / (2n * denominator);
  return numerator < 0n ? -rounded : rounded;
}

function average(durationMs: number, sessions: number, unitMs: number): number {
  if (sessions === 0) return 0;
  const denominator = sessions * unitMs;
  return Number.isSafeInteger(denominator)
    ? divideRounded(durationMs, denominator)
    : Number(divideRoundedBig(BigInt(durationMs), BigInt(sessions) * BigInt(unitMs)));
}

/**
 * Average session duration in whole seconds, halves away from zero; 0 when there are no sessions.
 * @param durationMs sum of the durations of all sessions, in milliseconds, an integer
 * @param sessions number of sessions, an integer
 */
export function averageSessionDurationSec(durationMs: number, sessions: number): number {
  return average(durationMs, sessions, 1000);
}

/**
 * Average session duration in minutes with 2 decimals, halves away from zero; 0 when there are no sessions.
 * @param durationMs sum of the durations of all sessions, in milliseconds, an integer
 * @param sessions number of sessions, an integer
 */
export function averageSessionDurationMin(durationMs: number, sessions: number): number {
  // A hundredth of a minute is 600 ms; the one division left gives the double nearest to the decimal.
  return average(durationMs, sessions, 600) / 100;
}
