import {
  dailyBreakdownsTable,
  dailyRollupVersionsTable,
  eventsTable,
  hourlyEventsTable,
  weeklyRetentionVersionsTable,
  type Table,
} from "./tables";

/** Columns of a view in their order, and what each of them means. */
export type ViewColumns = Readonly<Record<string, string>>;

/** Columns that a view takes from a table as they are. */
function fromTable({ name, columns }: Table, names: readonly string[]): ViewColumns {
  return Object.fromEntries(
    names.map((wanted) => {
      const column = columns.find((one) => one.name === wanted);
      if (!column) throw new Error(`Table ${name} has no column ${wanted}`);
      return [wanted, column.description];
    }),
  );
}

const rollup = (...names: readonly string[]): ViewColumns => fromTable(dailyRollupVersionsTable, names);
const retention = (...names: readonly string[]): ViewColumns => fromTable(weeklyRetentionVersionsTable, names);

export const dailyRollupLatestColumns: ViewColumns = rollup(
  ...["generation", "date", "version", "session_count", "session_duration_ms", "active_user_count", "new_user_count"],
  ...["updated_at", "anonymous_user_count", "weekly_active_change", "monthly_active_change"],
  ...["bot_session_count", "bot_user_count"],
);

export const dailyRollupColumns: ViewColumns = {
  ...rollup("date", "session_count", "session_duration_ms"),
  average_session_duration_sec: "Average of the session durations in seconds, rounded half away from zero",
  average_session_duration_min: "The same in minutes, rounded to two decimals",
  ...rollup("active_user_count", "new_user_count"),
  total_users: "Persons with an event until that day",
  ...rollup("version", "updated_at", "generation", "anonymous_user_count"),
  wau: "Persons with an event on at least one of the 7 days that end with that day",
  mau: "Persons with an event on at least one of the 30 days that end with that day",
  ...rollup("bot_session_count", "bot_user_count"),
};

export const weeklyRetentionLatestColumns: ViewColumns = retention(
  ...["generation", "cohort_week", "week_offset", "version", "person_count", "updated_at"],
);

export const weeklyRetentionColumns: ViewColumns = {
  ...retention("cohort_week", "week_offset", "person_count"),
  cohort_size: "Persons of the cohort, whatever the week",
  ...retention("version", "updated_at", "generation"),
};

export const eventColumns: ViewColumns = fromTable(
  eventsTable,
  eventsTable.columns.map(({ name }) => name),
);

export const breakdownColumns: ViewColumns = fromTable(dailyBreakdownsTable, [
  ...["date", "dimension", "value", "events", "persons", "sessions", "rank", "persons_below", "sessions_below"],
  ...["refreshed_at", "generation"],
]);

export const hourColumns: ViewColumns = fromTable(hourlyEventsTable, [
  ...["date", "hour", "dimension", "value", "events", "persons", "sessions", "refreshed_at", "generation"],
]);
