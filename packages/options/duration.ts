const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses `250`, `250ms`, `10s`, `30m`, `1.5h` or `1d` into milliseconds; undefined for any other text. */
export function parseDuration(text: string): number | undefined {
  const m = /^(\d+(?:\.\d+)?)(ms|s|m|min|h|d)?$/.exec(text.trim());
  return m ? Math.round(Number(m[1]) * (UNITS[m[2] ?? "ms"] ?? 1)) : undefined;
}

/** Whether a text is a number without a unit, other than 0. {@link parseDuration} reads it as milliseconds. */
export function lacksUnit(text: string): boolean {
  return /^\d+(\.\d+)?$/.test(text.trim()) && Number(text) !== 0;
}

/** The shortest text that {@link parseDuration} parses into this number of milliseconds. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"] as const) {
    const size = UNITS[unit] as number;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
