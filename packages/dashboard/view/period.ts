/** Epoch days, both included. */
export interface Days {
  readonly from: number;
  readonly to: number;
}

/** The ranges that end today, and yesterday. */
export const PRESETS = {
  today: { label: "Today", days: 1, ends: 0 },
  yesterday: { label: "Yesterday", days: 1, ends: -1 },
  "7d": { label: "Last 7 days", days: 7, ends: 0 },
  "30d": { label: "Last 30 days", days: 30, ends: 0 },
  "90d": { label: "Last 90 days", days: 90, ends: 0 },
  "365d": { label: "Last 365 days", days: 365, ends: 0 },
  "1000d": { label: "Last 1,000 days", days: 1000, ends: 0 },
} as const;

export type Preset = keyof typeof PRESETS;

/** The range of a view: relative to today, or fixed days. */
export type Range = { readonly preset: Preset } | Days;

/** The longest range of a view, days. */
export const MAX_RANGE_DAYS = 1000;

export function isPreset(text: string): text is Preset {
  return Object.hasOwn(PRESETS, text);
}

export function lengthOf({ from, to }: Days): number {
  return to - from + 1;
}

/** The days of a range. @param today epoch day in the zone of the numbers */
export function periodOf(range: Range, today: number): Days {
  if (!("preset" in range)) return range;
  const { days, ends } = PRESETS[range.preset];
  return { from: today + ends - days + 1, to: today + ends };
}

/** The days of the same number before a period. */
export function periodBefore(days: Days): Days {
  return moved(days, -lengthOf(days));
}

/** A period some days later. */
export function moved({ from, to }: Days, days: number): Days {
  return { from: from + days, to: to + days };
}

/** Those days of a period that are over; undefined when none is. @param today epoch day */
export function completeDays({ from, to }: Days, today: number): Days | undefined {
  const end = Math.min(to, today - 1);
  return end < from ? undefined : { from, to: end };
}
