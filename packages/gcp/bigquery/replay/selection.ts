import { eventsTable } from "../tables";
import { tableReference } from "../views";

/** Which rows of the table `events` are replayed. All conditions hold together; without any, all rows. */
export interface RowSelection {
  /** The days in which `received_date` is, the partitions of the table; YYYY-MM-DD. */
  readonly partitions?: readonly string[] | undefined;
  /** First and last day of `received_date`; YYYY-MM-DD. */
  readonly receivedFrom?: string | undefined;
  readonly receivedTo?: string | undefined;
  /** First and last day of `event_date`; YYYY-MM-DD. */
  readonly eventFrom?: string | undefined;
  readonly eventTo?: string | undefined;
  /** Only rows with `received_at` at this time or before; ISO 8601. */
  readonly until?: string | undefined;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/;

/** @throws TypeError for text that could be anything else in SQL */
function literal(kind: "DATE" | "TIMESTAMP", text: string): string {
  const isValid = (kind === "DATE" ? DAY : TIME).test(text);
  if (!isValid) throw new TypeError(`Not a ${kind === "DATE" ? "day" : "time in UTC"}: ${text}`);
  return `${kind} '${text}'`;
}

/** The WHERE condition of a selection. Its values are constants, because BigQuery skips partitions and blocks only for constants. */
export function conditionOf(selection: RowSelection): string {
  const { partitions, receivedFrom, receivedTo, eventFrom, eventTo, until } = selection;
  const conditions: string[] = [];
  const bound = (
    column: string,
    operator: ">=" | "<=",
    kind: "DATE" | "TIMESTAMP",
    value: string | undefined,
  ): void => {
    if (value !== undefined) conditions.push(`${column} ${operator} ${literal(kind, value)}`);
  };
  if (partitions?.length === 0) return "FALSE";
  if (partitions) conditions.push(`received_date IN (${partitions.map((day) => literal("DATE", day)).join(", ")})`);
  bound("received_date", ">=", "DATE", receivedFrom);
  bound("received_date", "<=", "DATE", receivedTo);
  bound("event_date", ">=", "DATE", eventFrom);
  bound("event_date", "<=", "DATE", eventTo);
  bound("received_at", "<=", "TIMESTAMP", until);
  return conditions.join(" AND ") || "TRUE";
}

/** The quoted name of the table `events`, for SQL. */
export function eventsReference(project: string, dataset: string): string {
  return tableReference(project, dataset, eventsTable.name);
}
