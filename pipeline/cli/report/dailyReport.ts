import type { DailyRollups, DayRange } from "@eventlogger/gcp/bigquery/dailyRollups";
import { dailyStats, dailyTable, type DailyStats } from "@eventlogger/gcp/bigquery/statistics/dailyStats";
import { grouped } from "@eventlogger/options/terminal";
import { alignedLines, type Alignment } from "../textTable";
import { sparkline } from "./charts";
import type { Paint, Report } from "./report";
import { daysOf } from "./reportDays";

/** `1 h 5 min`, `5 min 12 s`, `12 s`. @param seconds 0 or more */
function durationText(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

const HEADINGS = ["date", "active", "new", "7 days", "30 days", "anonymous", "sessions", "average"];
const ALIGNMENTS: readonly Alignment[] = HEADINGS.map((_, column) => (column === 0 ? "left" : "right"));

function cells(day: DailyStats): string[] {
  const counts = [
    ...[day.active_user_count, day.new_user_count, day.weekly_active_user_count, day.monthly_active_user_count],
    ...[day.anonymous_user_count, day.session_count],
  ];
  return [day.date, ...counts.map(grouped), durationText(day.average_session_duration_sec)];
}

const CHARTS = [
  { label: "active", read: (day: DailyStats) => day.active_user_count },
  { label: "new", read: (day: DailyStats) => day.new_user_count },
  { label: "sessions", read: (day: DailyStats) => day.session_count },
];

/** A chart of each number over the newest days that fit. Days without numbers are 0. */
function chartLines(days: readonly DailyStats[], range: DayRange, width: number): string[] {
  const byDate = new Map(days.map((day) => [day.date, day]));
  const labelWidth = Math.max(...CHARTS.map(({ label }) => label.length));
  return CHARTS.map(({ label, read }) => {
    const values = daysOf(range).map((date) => {
      const day = byDate.get(date);
      return day === undefined ? 0 : read(day);
    });
    const highest = `  highest ${grouped(Math.max(0, ...values))}`;
    const shown = Math.max(1, width - labelWidth - 2 - highest.length);
    return `${label.padEnd(labelWidth)}  ${sparkline(values.slice(-shown))}${highest}`;
  });
}

/**
 * The report of the days of a range.
 * @param asOf when the numbers were read
 */
export function dailyReport(rollups: DailyRollups, range: DayRange, asOf: Date, paint: Paint): Report {
  const { total_users, definitions, watermark } = rollups;
  const stats = rollups.days.map(dailyStats);
  const { generation, timeZone, sessionGapMs } = definitions ?? {};
  return {
    document: {
      ...{ from: range.from, to: range.to, total_users, daily_stats: stats, as_of: asOf.toISOString() },
      ...{ generation: generation ?? null, time_zone: timeZone ?? null },
      ...{ session_gap: sessionGapMs === undefined ? null : sessionGapMs / 1000, watermark },
    },
    table: dailyTable(stats),
    lines: (width) => {
      const [headings = "", ...rows] = alignedLines([HEADINGS, ...stats.map(cells)], ALIGNMENTS);
      const contained =
        watermark === null ? "" : ` They contain all events that were published until ${watermark.slice(0, 19)}Z.`;
      return [
        paint.bold(`${range.from} to ${range.to}`) + paint.dim(`  days of ${timeZone}, generation ${generation}`),
        ...["", ...chartLines(stats, range, width), ""],
        ...[paint.bold(headings), ...rows, ""],
        `${grouped(total_users)} persons in all.`,
        paint.dim(`Read at ${asOf.toISOString().slice(0, 19)}Z.${contained}`),
      ];
    },
  };
}
