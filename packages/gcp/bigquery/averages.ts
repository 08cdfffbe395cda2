/**
 * SQL for the average session duration of a day in seconds, rounded half away from zero; 0 without sessions. Uses integer
 * arithmetic only, so that ties are exact: floor(x + 1/2) of x = a/b is DIV(2a + b, 2b), because durations are never
 * negative. The emulator needs the inner parentheses: it loses the precedence without them.
 * @param ms SQL for the sum of the durations; ms
 * @param n SQL for the number of sessions
 */
export function averageSecondsSql(ms: string, n: string): string {
  return `IF(${n} = 0, 0, DIV((2 * ${ms} + 1000 * ${n}), (2000 * NULLIF(${n}, 0))))`;
}

/** The same average in minutes, rounded to two decimals: whole hundredths of a minute (600 ms). */
export function averageMinutesSql(ms: string, n: string): string {
  return `IF(${n} = 0, 0, DIV((2 * ${ms} + 600 * ${n}), (1200 * NULLIF(${n}, 0)))) / 100`;
}
