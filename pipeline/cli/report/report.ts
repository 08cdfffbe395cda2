import type { ValueTable } from "@eventlogger/events/table/csv";

/** A report in the forms in which it can be printed. */
export interface Report {
  /** The numbers as JSON, with the names of the HTTP interface. */
  readonly document: object;
  /** The numbers in rows, for CSV, Markdown and other programs. */
  readonly table: ValueTable;
  /** Lines for people at a terminal, with charts. @param width columns of the terminal */
  lines(width: number): readonly string[];
}

/** Lines of a terminal can be made to stand out. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
}
