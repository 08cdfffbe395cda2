import type { BreakdownComparison, BreakdownDifference } from "@eventlogger/gcp/bigquery/verify/compareBreakdowns";
import type { MissingEvents, RecordComparison } from "@eventlogger/gcp/bigquery/verify/compareRecord";
import type { RetentionDifference } from "@eventlogger/gcp/bigquery/verify/compareRetention";
import type { Difference } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import type { DeadLetterGroup } from "@eventlogger/gcp/bigquery/verify/deadLetters";
import type { Verification } from "@eventlogger/gcp/bigquery/verify/verify";
import { zoneDifference } from "@eventlogger/gcp/bigquery/zone/checkTimeZone";
import { formatDuration } from "@eventlogger/options/options";

type Colour = (text: string) => string;

const count = (n: number, what: string): string => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

function difference({ date, number, expected, actual, bound }: Difference): string {
  if (bound !== undefined) {
    return `${date}  ${number} is ${actual}, but must be ${bound} ${expected} according to the raw events that remain`;
  }
  if (number !== "day") return `${date}  ${number} is ${actual}, but ${expected} according to the raw events`;
  if (actual === undefined) return `${date}  is missing in the rollups, but the raw events have ${expected} sessions`;
  return `${date}  has ${actual} sessions in the rollups, but no raw events`;
}

function retentionDifference({ cohortWeek, weekOffset, expected, actual, bound }: RetentionDifference): string {
  const should = bound === undefined ? `but ${expected}` : `but must be ${bound} ${expected}`;
  const events = bound === undefined ? "the raw events" : "the raw events that remain";
  return `retention of the cohort of ${cohortWeek} in week ${weekOffset} is ${actual}, ${should} according to ${events}`;
}

function breakdownDifference({ date, hour, dimension, value, number, ...one }: BreakdownDifference): string {
  const when = hour === undefined ? date : `${date}, hour from ${hour},`;
  return `breakdown of ${when} by ${dimension}, value ${JSON.stringify(value)}: ${number} is ${one.actual}, but ${one.expected} according to the raw events`;
}

/** What of the breakdowns was not compared. */
function pendingLines(breakdowns: BreakdownComparison | undefined): string[] {
  if (breakdowns === undefined) return [];
  const { pendingDays, comparesPersons, refreshedAt } = breakdowns;
  const days = `${count(pendingDays.length, "day")}, ${pendingDays[0]} to ${pendingDays.at(-1)}`;
  const pending = `breakdowns of ${days}: touched since the refresh of ${refreshedAt}. Run \`eventlogger refresh\``;
  const persons = "persons in the breakdowns: links of anonymous ids are deleted, or wait for a refresh";
  return [...(pendingDays.length ? [pending] : []), ...(comparesPersons ? [] : [persons])];
}

function missingLines({ date, recorded, missing, refused, refusedIds, untracedHashes }: MissingEvents): string[] {
  const lines = [`${date}  ${missing.toLocaleString("en")} of ${count(recorded, "recorded event")} missing in events`];
  const more = (n: number, listed: readonly string[]): string => (n > listed.length ? ", …" : "");
  if (refused > 0) {
    const ids = refusedIds.map((id) => JSON.stringify(id)).join(", ") + more(refused, refusedIds);
    lines.push(`    ${refused.toLocaleString("en")} refused by BigQuery, in dead_letters: event_id ${ids}`);
  }
  const untraced = missing - refused;
  if (untraced > 0) {
    const hashes = untracedHashes.join(", ") + more(untraced, untracedHashes);
    lines.push(`    ${untraced.toLocaleString("en")} without a trace: hash of event_id ${hashes}`);
  }
  return lines;
}

function deadLetterLine({
  errorType,
  kind,
  count: n,
  unexplained,
  firstFailedAt,
  lastFailedAt,
}: DeadLetterGroup): string {
  const what = kind === "event" ? "event that BigQuery refused" : "message that is not a valid event";
  const plural = kind === "event" ? "events that BigQuery refused" : "messages that are not valid events";
  const rest = kind === "event" ? "are not in events" : "are not acknowledged by --dead-letters-until";
  const between = `from ${firstFailedAt} to ${lastFailedAt}`;
  return `${n.toLocaleString("en")} ${n === 1 ? what : plural} (${errorType}) ${between}; ${unexplained.toLocaleString("en")} ${rest}`;
}

function coverageLine({ exists, beganOn, uncovered }: RecordComparison): string[] {
  if (!exists)
    return ["no day: the dataset has no record of accepted events. Run `eventlogger setup` with the same options"];
  const [first] = uncovered;
  if (!first) return [];
  const last = uncovered.at(-1)?.date ?? first.date;
  const events = uncovered.reduce((sum, day) => sum + day.events, 0);
  const began = beganOn === undefined ? "the record is empty" : `the record began on ${beganOn}`;
  return [
    `${count(uncovered.length, "day")} not covered by the record of accepted events, ${first.date} to ${last}: ${began}, ` +
      `and ${count(events, "event")} came before`,
  ];
}

/** What cannot be checked, because rows of `events` are deleted. */
function horizonLines({ horizon, notCheckable, mayLackLinks, retention }: Verification): string[] {
  if (horizon === undefined) return [];
  const { receivedSince, firstCompleteDay } = horizon;
  const deleted = `rows received before ${receivedSince} are deleted`;
  const days =
    notCheckable === undefined
      ? []
      : [`${count(notCheckable.days, "day")}, ${notCheckable.first} to ${notCheckable.last}: ${deleted}`];
  const cohorts = retention?.notCheckable
    ? [`retention of ${count(retention.notCheckable, "cohort")}: ${deleted}`]
    : [];
  if (mayLackLinks) {
    return [
      ...days,
      ...cohorts,
      `numbers of persons from ${firstCompleteDay} on, because ${deleted}, which may have linked anonymous ids with users. Checked only ` +
        "that active_user_count is not too low and anonymous_user_count not too high; exactly on days without anonymous ids",
    ];
  }
  return [
    ...days,
    ...cohorts,
    `new_user_count and total_users from ${firstCompleteDay} on, which depend on all earlier rows: ${deleted}. Checked only that ` +
      "new_user_count is not too high and total_users not too low",
    `wau and mau of days less than 7 and 30 days after ${firstCompleteDay}: ${deleted}. Checked only that they are not too low`,
  ];
}

/** What BigQuery had to read, and how much that was. */
function scanLines(
  { generation, timeZone, days, gapMs, bytesScanned }: Verification,
  since: string | undefined,
): string[] {
  const scanned = bytesScanned === undefined ? "not reported" : `${(bytesScanned / 1e9).toFixed(3)} GB`;
  const incremental =
    days === undefined || since === undefined
      ? []
      : [
          `compared ${count(days.length, "day")} touched since ${since}. Read the partitions since then; in every partition ` +
            "of events, the blocks of those days, and user_id, anonymous_id, is_bot and event_time of all days",
        ];
  const definitions = `generation ${generation}, session gap ${formatDuration(gapMs)}, days of ${timeZone}`;
  return [...incremental, `${definitions}; bytes scanned: ${scanned}`];
}

/** Whether the dataset has nothing to compare. */
function isEmpty({ differences, equalDays, notCheckable, retention, record, deadLetters }: Verification): boolean {
  const days = equalDays + (notCheckable?.days ?? 0);
  const cohorts = retention ? retention.differences.length + retention.equalCohorts + retention.notCheckable : 0;
  return differences.length + days + cohorts + record.recorded + deadLetters.length === 0;
}

/** The result of `verify` as lines for people. */
export function verificationLines(
  verification: Verification,
  { since, red, green, yellow }: { since: string | undefined; red: Colour; green: Colour; yellow: Colour },
): string[] {
  const { differences, equalDays, retention, breakdowns, record, deadLetters, timeZone, zoneDifferences, isEqual } =
    verification;
  if (isEmpty(verification)) {
    const nothing =
      since === undefined
        ? "the dataset has no events, no rollups, no record of accepted events and no dead letters"
        : `no row was received or written since ${since}`;
    return [`${yellow("nothing to compare")}: ${nothing}`, ...scanLines(verification, since)];
  }
  const days = new Set(differences.map((one) => one.date)).size;
  const lost = record.missing.reduce((sum, day) => sum + day.missing, 0);
  const unexplained = deadLetters.reduce((sum, group) => sum + group.unexplained, 0);
  const summary = [
    `${differences.length} differences on ${days} days, ${equalDays} days equal`,
    ...(retention?.differences.length ? [`${count(retention.differences.length, "difference")} of retention`] : []),
    ...(breakdowns?.differenceCount ? [`${count(breakdowns.differenceCount, "difference")} of breakdowns`] : []),
    `${lost.toLocaleString("en")} of ${count(record.recorded, "recorded event")} missing`,
    count(unexplained, "unexplained dead letter"),
  ].join("; ");
  return [
    ...differences.map((one) => `${red("different")} ${difference(one)}`),
    ...(retention?.differences ?? []).map((one) => `${red("different")} ${retentionDifference(one)}`),
    ...(breakdowns?.differences ?? []).map((one) => `${red("different")} ${breakdownDifference(one)}`),
    ...(zoneDifferences.length ? [`${yellow("time zone")} ${zoneDifference(timeZone, zoneDifferences)}`] : []),
    ...record.missing.flatMap((day) => {
      const [first, ...details] = missingLines(day);
      return [`${red("missing")} ${first}`, ...details];
    }),
    ...deadLetters.map((group) => `${(group.unexplained ? red : green)("dead letters")} ${deadLetterLine(group)}`),
    ...coverageLine(record).map((line) => `${yellow("not covered")} ${line}`),
    ...horizonLines(verification).map((line) => `${yellow("not checkable")} ${line}`),
    ...pendingLines(breakdowns).map((line) => `${yellow("not compared")} ${line}`),
    isEqual
      ? `${green("equal")} ${equalDays} days equal, ${count(record.recorded, "recorded event")} in events` +
        (retention ? `, ${count(retention.equalCohorts, "cohort")} equal` : "") +
        (breakdowns ? `, breakdowns of ${count(breakdowns.equalDays, "day")} equal` : "")
      : summary,
    ...scanLines(verification, since),
  ];
}
