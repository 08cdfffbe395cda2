/**
 * SQL for the averages over a day's sessions, from `ms`, the sum of their durations in milliseconds, and `n`, their
 * number. Rounded half away from zero by whole numbers alone, so that a tie is a tie: floor(x + 1/2) of x = a/b is
 * DIV(2a + b, 2b), for durations are never negative. No sessions: 0. The inner parentheses are for the emulator, which
 * loses the precedence without them.
 */
export function averageSecondsSql(ms: string, n: string): string {
  return `IF(${n} = 0, 0, DIV((2 * ${ms} + 1000 * ${n}), (2000 * NULLIF(${n}, 0))))`;
}

/** The same in minutes with 2 decimals: hundredths of a minute (600 ms) are rounded to whole ones. */
export function averageMinutesSql(ms: string, n: string): string {
  return `IF(${n} = 0, 0, DIV((2 * ${ms} + 600 * ${n}), (1200 * NULLIF(${n}, 0)))) / 100`;
}
