import type { TableValue, ValueTable } from "@eventlogger/events/table/csv";
import { printable } from "@eventlogger/options/terminal";

/** A value for a cell: characters that have a meaning in a table of Markdown are escaped. */
function cell(value: TableValue): string {
  if (value === null) return "";
  return printable(String(value)).replace(/[\\|`*_<[\]]/g, (character) => `\\${character}`);
}

/** A table as lines of Markdown. Columns of numbers are aligned on the right. */
export function markdownLines({ columns, rows }: ValueTable): string[] {
  const isNumeric = columns.map((_, i) => rows.length > 0 && rows.every((row) => typeof (row[i] ?? 0) === "number"));
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(columns.map((name) => cell(name))),
    line(isNumeric.map((numeric) => (numeric ? "---:" : "---"))),
    ...rows.map((row) => line(row.map(cell))),
  ];
}
