import type { DayRange } from "../dailyRollups";
import type { RollupDefinitions } from "../rollupDefinitions";

/** Numbers of a range of days. */
export interface BreakdownTotals {
  /** Distinct events. */
  readonly events: number;
  /** Sum of the daily sessions: a session belongs to one day. */
  readonly sessions: number;
  /** Sum of the daily persons: a person who was active on two days counts twice. */
  readonly person_days: number;
  /** Distinct persons; null unless the range is one day. */
  readonly persons: number | null;
}

/** The numbers of one value of a dimension. */
export interface BreakdownValue extends BreakdownTotals {
  /** `(none)` for events without one. At most 256 characters. */
  readonly value: string;
}

/** The numbers of all values that are not listed. */
export interface OtherValues {
  /** Number of these values. */
  readonly value_count: number;
  readonly events: number;
  /** The rest is null unless the range is one day: sessions and persons of several values cannot be added up. */
  readonly sessions: number | null;
  readonly person_days: number | null;
  readonly persons: number | null;
}

/** What every answer from the tables of breakdowns has. */
export interface Refreshed {
  /** Those of the active generation; undefined before the first start of the pipeline. */
  readonly definitions: RollupDefinitions | undefined;
  /** Start of the last complete refresh of the generation, ISO 8601; null before the first one. */
  readonly refreshedAt: string | null;
  /** The dimensions that the last refresh computed, such as `country` or `properties.plan`. */
  readonly dimensions: readonly string[];
}

/** The values of a dimension with most events in a range of days. */
export interface Breakdown extends Refreshed {
  readonly dimension: string;
  readonly range: DayRange;
  readonly totals: BreakdownTotals;
  /** The values with most events first; of values with equally many the first in order of their code points. */
  readonly values: readonly BreakdownValue[];
  readonly other: OtherValues;
}

export interface HourNumbers {
  /** Start of the hour with the offset of the zone: `2026-05-17T09:00:00+02:00`. */
  readonly hour: string;
  /** Distinct events. */
  readonly events: number;
  /** Persons with an event in the hour. */
  readonly persons: number;
  /** Sessions of the day with an event in the hour. */
  readonly sessions: number;
}

/** The hours of one day. */
export interface Hours extends Refreshed {
  /** YYYY-MM-DD, in the time zone of the generation. */
  readonly date: string;
  /** Every hour of the day, also those without events: 23 or 25 when clocks change. */
  readonly hours: readonly HourNumbers[];
}
