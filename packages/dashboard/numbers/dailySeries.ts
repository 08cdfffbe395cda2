import { parseDay } from "@eventlogger/events/day";
import type { DayStats } from "../api/answers";
import { completeDays, lengthOf, moved, type Days } from "../view/period";
import { METRICS, type Metric } from "./metrics";

/** The longest time for which an event counts in a later day's number, days: that of monthly active users. */
export const CARRY_DAYS = 30;

/** The numbers of one day. */
export interface DayNumbers {
  /** Epoch day. */
  readonly day: number;
  readonly active: number;
  readonly new: number;
  readonly sessions: number;
  /** Average, seconds; null on a day without sessions. */
  readonly duration: number | null;
  /** Sum over the sessions, ms. */
  readonly durationMs: number;
  readonly weekly: number;
  readonly monthly: number;
}

/** The daily numbers of an answer, with zeros on days without a row. */
export class DailySeries {
  private readonly rows = new Map<number, DayStats>();

  /** @param range the days that were asked for. Numbers are right from {@link CARRY_DAYS} after its first day. */
  constructor(
    stats: readonly DayStats[],
    private readonly range: Days,
  ) {
    for (const row of stats) {
      const day = parseDay(row.date);
      if (day !== undefined) this.rows.set(day, row);
    }
  }

  at(day: number): DayNumbers {
    const row = this.rows.get(day);
    return {
      day,
      active: row?.active_user_count ?? 0,
      new: row?.new_user_count ?? 0,
      sessions: row?.session_count ?? 0,
      duration: row && row.session_count > 0 ? row.average_session_duration_sec : null,
      durationMs: row?.session_duration_ms ?? 0,
      ...this.carried(day),
    };
  }

  in({ from, to }: Days): DayNumbers[] {
    return Array.from({ length: to - from + 1 }, (_, i) => this.at(from + i));
  }

  /**
   * The weekly and monthly numbers change on days that have a row, so a day without one has those of the newest row before it. If there is
   * none within 30 days, nobody was active in this time.
   */
  private carried(day: number): Pick<DayNumbers, "weekly" | "monthly"> {
    for (let d = day; d >= Math.max(this.range.from, day - CARRY_DAYS); d--) {
      const row = this.rows.get(d);
      if (row) return { weekly: row.weekly_active_user_count, monthly: row.monthly_active_user_count };
    }
    return { weekly: 0, monthly: 0 };
  }
}

/** The number of a metric for a range; null when the range has no days, or no session that has a duration. */
export function valueOf(metric: Metric, days: readonly DayNumbers[]): number | null {
  const sum = (name: "active" | "new" | "sessions" | "durationMs"): number =>
    days.reduce((total, day) => total + day[name], 0);
  switch (metric) {
    case "active":
      return days.length === 0 ? null : sum("active") / days.length;
    case "new":
    case "sessions":
      return sum(metric);
    case "weekly":
    case "monthly":
      return days[days.length - 1]?.[metric] ?? null;
    case "duration": {
      const sessions = sum("sessions");
      return sessions === 0 ? null : sum("durationMs") / 1000 / sessions;
    }
  }
}

/** The number of a range, and how it has changed. */
export interface Summary {
  readonly value: number | null;
  /** The complete days of the range and as many of the period before; undefined when no day of the range is over. */
  readonly change: { readonly now: number | null; readonly before: number | null; readonly days: number } | undefined;
}

/**
 * Summarizes a range. Averages and comparisons leave out the days that are not over, here and in the period before.
 * @param today epoch day in the zone of the numbers
 */
export function summarize(metric: Metric, series: DailySeries, period: Days, today: number): Summary {
  const complete = completeDays(period, today);
  const isMean = METRICS[metric].range === "mean";
  const value = valueOf(metric, series.in(isMean && complete ? complete : endingToday(period, today)));
  if (!complete) return { value, change: undefined };
  const before = moved(complete, -lengthOf(period));
  return {
    value,
    change: {
      now: valueOf(metric, series.in(complete)),
      before: valueOf(metric, series.in(before)),
      days: lengthOf(complete),
    },
  };
}

/** A period without the days after today, unless all are. */
function endingToday({ from, to }: Days, today: number): Days {
  return { from, to: Math.max(from, Math.min(to, today)) };
}

/** The relative change, such as 0.25 for a quarter more; undefined when there was nothing before, or there is nothing now. */
export function changeRatio({
  now,
  before,
}: Pick<NonNullable<Summary["change"]>, "now" | "before">): number | undefined {
  return now === null || before === null || before === 0 ? undefined : now / before - 1;
}
