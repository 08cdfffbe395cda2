import "@eventlogger/beam/sdk";
import { booleanType, dateType, int64Type, nullable, stringType, type RowType } from "@eventlogger/beam/rows/schema";
import type { ColumnType, Table } from "@eventlogger/gcp/bigquery/tables";

/** A value as Beam's cross-language transforms accept it. */
type BeamValue = string | number | boolean;

/** A row as Beam's cross-language transforms accept it. Null is decoded as undefined. */
export type BeamRow = Record<string, BeamValue | null | undefined>;

/** How Java's BigQuery sinks expect the values of a column. */
interface ColumnEncoding {
  readonly type: RowType<BeamValue>;
  readonly toBeam?: (value: string) => number;
  readonly fromBeam?: (value: number) => string;
}

const ENCODINGS: { readonly [Type in ColumnType]: ColumnEncoding } = {
  STRING: { type: stringType },
  INT64: { type: int64Type },
  DATE: { type: dateType },
  BOOL: { type: booleanType },
  JSON: { type: stringType },
  // Microseconds since 1970, which the Storage Write API accepts for a TIMESTAMP. Beam 2.73 has a type for timestamps, but
  // when BigQuery refuses a row with one, Beam cannot parse its own text form of it and fails the bundle.
  TIMESTAMP: {
    type: int64Type,
    toBeam: (iso) => Date.parse(iso) * 1000,
    fromBeam: (micros) => new Date(micros / 1000).toISOString(),
  },
};

/** The field types of the Beam rows of a table, in the order of its columns. */
export function beamRowTypes(table: Table): Record<string, RowType<BeamValue | null | undefined>> {
  return Object.fromEntries(
    table.columns.map(({ name, type, mode }) => {
      const { type: beamType } = ENCODINGS[type];
      return [name, mode === "REQUIRED" ? beamType : nullable(beamType)];
    }),
  );
}

/** Converts a row of a table, in the form for streaming inserts, to a Beam row. */
export function toBeamRow(table: Table, row: object): BeamRow {
  const values = row as BeamRow;
  return Object.fromEntries(
    table.columns.map(({ name, type }) => {
      const value = values[name] ?? null;
      const { toBeam } = ENCODINGS[type];
      return [name, toBeam && value !== null ? toBeam(String(value)) : value];
    }),
  );
}

/** Reverses {@link toBeamRow}. The fields are in the order of the table's columns. */
export function fromBeamRow(table: Table, row: BeamRow): object {
  return Object.fromEntries(
    table.columns.map(({ name, type }) => {
      const value = row[name] ?? null;
      const { fromBeam } = ENCODINGS[type];
      return [name, fromBeam && value !== null ? fromBeam(Number(value)) : value];
    }),
  );
}
