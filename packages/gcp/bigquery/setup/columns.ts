import type { TableMetadata } from "@google-cloud/bigquery";
import { dailyRollupVersionsTable, type Column, type Table } from "../tables";
import { fieldsOf } from "./describeColumns";

/** The API returns the type names of legacy SQL. */
const LEGACY: Readonly<Record<string, string>> = { INTEGER: "INT64", FLOAT: "FLOAT64", BOOLEAN: "BOOL" };

/** How the columns of an existing table differ from those that the pipeline writes. */
export interface ColumnCheck {
  readonly missing: readonly Column[];
  /** Columns whose type is not the type that is written. */
  readonly mistyped: readonly { readonly column: Column; readonly type: string }[];
  /** Required columns that this release does not write. */
  readonly unknownRequired: readonly string[];
}

/** Compares the columns of an existing table with those that the pipeline writes. */
export function checkColumns(metadata: TableMetadata, { columns }: Table): ColumnCheck {
  const fields = fieldsOf(metadata);
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

/**
 * The problem with the partitioning of an existing table. By another column than in this release, because rows are then
 * refused: BigQuery accepts streamed rows only of partitions that are neither years old nor far ahead.
 */
export function partitioningProblem(
  reference: string,
  { timePartitioning }: TableMetadata,
  { partitionBy }: Table,
): string | undefined {
  const field = timePartitioning?.field;
  return field === undefined || field === partitionBy
    ? undefined
    : `Table ${reference} is partitioned by ${field} as in an earlier release, not by ${partitionBy}, so that BigQuery would refuse rows of old or future days`;
}

/** What to do about {@link partitioningProblem}. */
export const REPARTITION =
  "BigQuery cannot change the partitioning of a table. Rename these tables, run `eventlogger setup` and copy the rows " +
  '(docs/operations/runbook.md, "Move rows to a new table layout"), or use a new dataset (--dataset)';

/**
 * What to do about a table of rollups without generations, as an earlier release made it; undefined for every other table. Its rows
 * cannot be changed in place, but the numbers can be made again from the raw events.
 */
export function generationRemedy(dataset: string, table: Table, { missing }: ColumnCheck): string | undefined {
  if (table.name !== dailyRollupVersionsTable.name || !missing.some(({ name }) => name === "generation"))
    return undefined;
  return (
    "An earlier release made it, before the numbers had generations. The numbers can be made again from the raw events: " +
    `rename the table (ALTER TABLE ${dataset}.${table.name} RENAME TO ${table.name}_old), or drop it, run \`eventlogger setup\`, ` +
    'and then `eventlogger rebuild` (docs/operations/runbook.md, "Upgrade to generations")'
  );
}

/** The problems with the columns of a table, one sentence each. */
export function columnProblems(reference: string, check: ColumnCheck): string[] {
  const { missing, mistyped, unknownRequired } = check;
  const problems: string[] = [];
  if (missing.length)
    problems.push(`Table ${reference} lacks the columns ${missing.map((column) => column.name).join(", ")}`);
  for (const { column, type } of mistyped) {
    problems.push(
      `Column ${column.name} of table ${reference} has type ${type}, but the pipeline writes ${column.type}`,
    );
  }
  for (const name of unknownRequired) {
    problems.push(`Column ${name} of table ${reference} is required, but the pipeline does not write it`);
  }
  return problems;
}
