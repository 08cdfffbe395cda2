import "@eventlogger/beam/sdk";
import { dateType, int64Type, nullable, stringType, type RowType } from "@eventlogger/beam/rows/schema";
import type { ColumnType, Table } from "@eventlogger/gcp/bigquery/tables";

/** A row as Beam's transforms of other languages take it. */
export type BeamRow = Record<string, string | number | null>;

/** How the values of a column are written for Java's BigQuery sinks. */
interface ColumnForm {
  readonly type: RowType<string | number>;
  readonly toBeam?: (value: string) => number;
  readonly fromBeam?: (value: number) => string;
}

const FORMS: { readonly [Type in ColumnType]: ColumnForm } = {
  STRING: { type: stringType },
  INT64: { type: int64Type },
  DATE: { type: dateType },
  JSON: { type: stringType },
  // As microseconds since 1970, which the Storage Write API takes for a TIMESTAMP. Beam 2.73 has a type for timestamps,
  // but when BigQuery refuses a row with one, it fails to read its own text form of it, and the bundle dies.
  TIMESTAMP: {
    type: int64Type,
    toBeam: (iso) => Date.parse(iso) * 1000,
    fromBeam: (micros) => new Date(micros / 1000).toISOString(),
  },
};

/** The types of the Beam rows of a table, in the order of its columns. */
export function beamRowTypes(table: Table): Record<string, RowType<string | number | null>> {
  return Object.fromEntries(
    table.columns.map(({ name, type, mode }) => {
      const form = FORMS[type].type;
      return [name, mode === "REQUIRED" ? form : nullable(form)];
    }),
  );
}

/** A row of a table, as it is for streaming inserts, as a Beam row. */
export function toBeamRow(table: Table, row: object): BeamRow {
  const values = row as BeamRow;
  return Object.fromEntries(
    table.columns.map(({ name, type }) => {
      const value = values[name] ?? null;
      const { toBeam } = FORMS[type];
      return [name, toBeam && value !== null ? toBeam(String(value)) : value];
    }),
  );
}

/** The reverse of {@link toBeamRow}: with the fields in the order of the table's columns. */
export function fromBeamRow(table: Table, row: BeamRow): object {
  return Object.fromEntries(
    table.columns.map(({ name, type }) => {
      const value = row[name] ?? null;
      const { fromBeam } = FORMS[type];
      return [name, fromBeam && value !== null ? fromBeam(Number(value)) : value];
    }),
  );
}
