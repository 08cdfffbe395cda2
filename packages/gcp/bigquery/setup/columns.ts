import type { TableMetadata } from "@google-cloud/bigquery";
import type { Column, Table } from "../tables";

/** The API answers with the names of legacy SQL. */
const LEGACY: Readonly<Record<string, string>> = { INTEGER: "INT64", FLOAT: "FLOAT64", BOOLEAN: "BOOL" };

/** What a table that is there lacks. */
export interface ColumnCheck {
  readonly missing: readonly Column[];
  /** Columns of another type than what is written to them. */
  readonly mistyped: readonly { readonly column: Column; readonly type: string }[];
  /** Columns that this release does not write, and that must be written. */
  readonly unknownRequired: readonly string[];
}

/** Compares the columns of a table that is there with those that are written. */
export function checkColumns(metadata: TableMetadata, { columns }: Table): ColumnCheck {
  const fields = (typeof metadata.schema === "object" && "fields" in metadata.schema && metadata.schema.fields) || [];
  const present = new Map(fields.map(({ name, type = "" }) => [name, LEGACY[type] ?? type]));
  const written = new Set(columns.map(({ name }) => name));
  return {
    missing: columns.filter(({ name }) => !present.has(name)),
    mistyped: columns.flatMap((column) => {
      const type = present.get(column.name);
      return type === undefined || type === column.type ? [] : [{ column, type }];
    }),
    unknownRequired: fields.flatMap(({ name, mode }) =>
      mode === "REQUIRED" && !written.has(name ?? "") ? [name ?? ""] : [],
    ),
  };
}

/** What is wrong with the columns of a table, one sentence each. */
export function columnProblems(reference: string, check: ColumnCheck): string[] {
  const { missing, mistyped, unknownRequired } = check;
  const problems: string[] = [];
  if (missing.length) problems.push(`Table ${reference} lacks the columns ${missing.map((c) => c.name).join(", ")}`);
  for (const { column, type } of mistyped) {
    problems.push(`Column ${column.name} of table ${reference} is ${type}, but ${column.type} is written`);
  }
  for (const name of unknownRequired) {
    problems.push(`Column ${name} of table ${reference} is required, but nothing writes it`);
  }
  return problems;
}
