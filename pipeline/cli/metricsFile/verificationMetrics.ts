import { dayFromIso, dayOf } from "@eventlogger/events/day";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { timeZoneProblem } from "@eventlogger/events/zone/zoneName";
import type { Verification } from "@eventlogger/gcp/bigquery/verify/verify";
import { commandMetrics, single, type CommandRun, type FileMetric } from "./metricsFile";

const DAYS_OF_WEEK = 7;

/**
 * Whether a day had ended when the verification began. The numbers of a day that goes on differ from the raw events while events are in
 * flight, so they are counted apart.
 */
type DayState = "ended" | "today";

/** Counts by the state of their day; both states always have a sample, so that alerts see a 0. */
function byDayState(
  counts: readonly { readonly state: DayState; readonly count: number }[],
): { readonly days: DayState; readonly value: number }[] {
  const sum = (state: DayState): number =>
    counts.filter((one) => one.state === state).reduce((total, one) => total + one.count, 0);
  return (["ended", "today"] as const).map((days) => ({ days, value: sum(days) }));
}

const stateOf = (day: number | undefined, today: number): DayState =>
  day !== undefined && day < today ? "ended" : "today";

/** The differences of breakdowns by the state of their day. Only the first ones are listed; the others count as of ended days. */
function breakdownCounts(
  breakdowns: Verification["breakdowns"],
  today: number,
): { readonly state: DayState; readonly count: number }[] {
  if (breakdowns === undefined) return [];
  const { differences, differenceCount } = breakdowns;
  return [
    ...differences.map(({ date }) => ({ state: stateOf(dayFromIso(date), today), count: 1 })),
    { state: "ended", count: differenceCount - differences.length },
  ];
}

/** The result of `verify` as metrics. Their labels `dataset` and `generation` are those of the whole file. */
export function verificationMetrics(verification: Verification, run: CommandRun): FileMetric[] {
  const { differences, retention, breakdowns, record, deadLetters, timeZone, bytesScanned, isEqual } = verification;
  // A zone that only BigQuery knows: the UTC day.
  const zone = timeZoneProblem(timeZone) === undefined ? TimeZone.of(timeZone) : TimeZone.UTC;
  const today = zone.dayOf(run.startedAt);
  const lastDayOf = (cohortWeek: string, weekOffset: number): number | undefined => {
    const monday = dayFromIso(cohortWeek);
    return monday === undefined ? undefined : monday + DAYS_OF_WEEK * (weekOffset + 1) - 1;
  };
  const numbers = {
    days: differences.map(({ date }) => ({ state: stateOf(dayFromIso(date), today), count: 1 })),
    retention: (retention?.differences ?? []).map(({ cohortWeek, weekOffset }) => ({
      state: stateOf(lastDayOf(cohortWeek, weekOffset), today),
      count: 1,
    })),
    breakdowns: breakdownCounts(breakdowns, today),
  };
  // The record has UTC days.
  const missing = record.missing.map((day) => ({
    state: stateOf(dayFromIso(day.date), dayOf(run.startedAt)),
    count: day.missing,
  }));
  const unexplained = deadLetters.reduce((sum, group) => sum + group.unexplained, 0);
  return [
    ...commandMetrics("verify", run, bytesScanned),
    single(
      "eventlogger_verify_equal",
      "1 when the verification has found nothing wrong on any day, otherwise 0",
      Number(isEqual),
    ),
    {
      name: "eventlogger_verify_differences",
      help: "Numbers that differ from what SQL computes from the raw events, by what they count and whether their days had ended",
      samples: Object.entries(numbers).flatMap(([name, found]) =>
        byDayState(found).map(({ days, value }) => ({ labels: { numbers: name, days }, value })),
      ),
    },
    {
      name: "eventlogger_verify_missing_events",
      help: "Accepted events that the table events lacks, by whether their days had ended",
      samples: byDayState(missing).map(({ days, value }) => ({ labels: { days }, value })),
    },
    single(
      "eventlogger_verify_unexplained_dead_letters",
      "Dead letters that are not acknowledged, or whose events are not in the table events",
      unexplained,
    ),
  ];
}
