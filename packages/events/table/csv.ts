/** A value of a {@link ValueTable}. Null is an empty field of a CSV file. */
export type TableValue = string | number | null;

/** Values in rows and named columns. */
export interface ValueTable {
  readonly columns: readonly string[];
  /** Each with a value for every column. */
  readonly rows: readonly (readonly TableValue[])[];
}

/** The media type of {@link csvText}, with the parameters of RFC 4180. */
export const CSV_TYPE = "text/csv; charset=utf-8; header=present";

/** What spreadsheets take for the beginning of a formula: https://owasp.org/www-community/attacks/CSV_Injection */
const FORMULA = /^[=+\-@\t\r]/;

function field(value: TableValue): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) || text === "" ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * A table as CSV by RFC 4180, with the names of the columns in the first line and line ends of CR and LF. Null is an empty field, and empty
 * text is `""`. Text that a spreadsheet would run as a formula gets an apostrophe in front, because apps may send any text.
 */
export function csvText({ columns, rows }: ValueTable): string {
  return [columns, ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}
