import { hashToHex, type AcceptedIds } from "@eventlogger/events/accepted/acceptedIds";
import { dayToIso } from "@eventlogger/events/day";
import type { DeadLetter } from "@eventlogger/events/deadLetter";
import type { RetentionVersion } from "@eventlogger/events/totals/retention";
import type { DayVersion } from "@eventlogger/events/totals/totals";
import type {
  AcceptedIdsRow,
  DeadLetterRow,
  EventRow,
  RetentionVersionRow,
  RollupVersionRow,
  TableName,
  TableRows,
} from "@eventlogger/gcp/bigquery/tables";
import { partitionDate } from "./partitionDate";

/** What the sink of each table accepts. Events are rows already: the step `ToEventRows` maps them. */
export interface SinkInputs {
  events: EventRow;
  daily_rollup_versions: DayVersion;
  weekly_retention_versions: RetentionVersion;
  dead_letters: DeadLetter;
  accepted_ids: AcceptedIds;
}

/** The row of a version of a day's totals. */
export function rollupVersionRow(version: DayVersion): RollupVersionRow {
  return {
    generation: version.generation,
    date: dayToIso(version.day),
    version: version.version,
    session_count: version.sessions,
    session_duration_ms: version.durationMs,
    active_user_count: version.activeUsers,
    new_user_count: version.newUsers,
    updated_at: new Date(version.updatedAt).toISOString(),
    written_date: partitionDate(version.updatedAt),
    anonymous_user_count: version.anonymousUsers,
    weekly_active_change: version.weeklyActiveChange,
    monthly_active_change: version.monthlyActiveChange,
    bot_session_count: version.botSessions,
    bot_user_count: version.botUsers,
  };
}

/** The row of a version of a cohort's persons in one week. */
export function retentionVersionRow(version: RetentionVersion): RetentionVersionRow {
  return {
    generation: version.generation,
    cohort_week: dayToIso(version.cohortWeek),
    week_offset: version.weekOffset,
    person_count: version.persons,
    version: version.version,
    updated_at: new Date(version.updatedAt).toISOString(),
    written_date: partitionDate(version.updatedAt),
  };
}

/** The row of a dead letter. */
export function deadLetterRow(deadLetter: DeadLetter): DeadLetterRow {
  return {
    error_type: deadLetter.errorType,
    error_message: deadLetter.errorMessage,
    payload: deadLetter.payload,
    payload_encoding: deadLetter.payloadEncoding,
    source: deadLetter.source,
    failed_at: new Date(deadLetter.failedAt).toISOString(),
  };
}

/** The row of hashes that the record of accepted events gains. */
export function acceptedIdsRow({ day, hashes, recordedAt }: AcceptedIds): AcceptedIdsRow {
  return {
    event_date: dayToIso(day),
    hashes: hashes.map(hashToHex).join(),
    written_date: partitionDate(recordedAt),
  };
}

/** Maps what a sink accepts to the row of its table. */
export const sinkRow: { readonly [T in TableName]: (input: SinkInputs[T]) => TableRows[T] } = {
  events: (row) => row,
  daily_rollup_versions: rollupVersionRow,
  weekly_retention_versions: retentionVersionRow,
  dead_letters: deadLetterRow,
  accepted_ids: acceptedIdsRow,
};
