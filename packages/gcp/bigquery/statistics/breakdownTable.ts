import type { ValueTable } from "@eventlogger/events/table/csv";
import type { Breakdown, Hours } from "../breakdowns/breakdown";

/** The value of the row of all values that are not listed. */
export const OTHER = "(other)";

/** A row for each listed value, those with most events first, and one for all others together if there are any. */
export function breakdownTable({ values, other }: Pick<Breakdown, "values" | "other">): ValueTable {
  const rows = [...values, ...(other.value_count === 0 ? [] : [{ ...other, value: OTHER }])];
  return {
    columns: ["value", "events", "sessions", "person_days", "persons"],
    rows: rows.map(({ value, events, sessions, person_days, persons }) => [
      value,
      events,
      sessions,
      person_days,
      persons,
    ]),
  };
}

/** A row for each hour of a day. */
export function hoursTable({ hours }: Pick<Hours, "hours">): ValueTable {
  return {
    columns: ["hour", "events", "persons", "sessions"],
    rows: hours.map(({ hour, events, persons, sessions }) => [hour, events, persons, sessions]),
  };
}
