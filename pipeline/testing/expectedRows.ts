import type { RetentionVersionRow, RollupVersionRow } from "@eventlogger/gcp/bigquery/tables";
import { rollupVersion } from "@eventlogger/gcp/bigquery/testing/rows";
import type { RollupNumber } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import type { RetentionReport } from "@eventlogger/traffic/bruteForceRetention";

/** Which version of which generation rows are. @default version 1 of generation 1 */
interface Version {
  readonly generation?: number;
  readonly version?: number;
}

/** Rows of rollup versions that give the numbers of some days, YYYY-MM-DD, in the order of days. */
export function rollupRows(
  days: Iterable<readonly [date: string, numbers: Readonly<Record<RollupNumber, number>>]>,
  version: Version = {},
): RollupVersionRow[] {
  let before = { wau: 0, mau: 0 };
  return [...days].map(([date, numbers]) => {
    const { session_count, session_duration_ms, active_user_count, new_user_count, wau, mau } = numbers;
    const { anonymous_user_count, bot_session_count, bot_user_count } = numbers;
    const changes = { weekly_active_change: wau - before.wau, monthly_active_change: mau - before.mau };
    before = { wau, mau };
    return rollupVersion({
      ...{ date, session_count, session_duration_ms, active_user_count, new_user_count },
      ...{ anonymous_user_count, bot_session_count, bot_user_count, ...changes, ...version },
    });
  });
}

/** Rows of retention versions that give a retention. */
export function retentionRows(
  { cohorts }: RetentionReport,
  { generation = 1, version = 1 }: Version = {},
): RetentionVersionRow[] {
  const updated_at = new Date().toISOString();
  return cohorts.flatMap(({ week, retained }) =>
    retained.map((person_count, week_offset) => ({
      ...{ generation, version, cohort_week: week, week_offset, person_count },
      ...{ updated_at, written_date: updated_at.slice(0, 10) },
    })),
  );
}
