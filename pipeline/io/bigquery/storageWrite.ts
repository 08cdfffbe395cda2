import "@eventlogger/beam/sdk";
import { P, type PCollection } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { withName, type AsyncPTransform } from "apache-beam/transforms/transform";
import { bundleParDo, pipe, type BundleDoFn, type Emit } from "@eventlogger/beam";
import { schemaTransform } from "@eventlogger/beam/expansion/schemaTransform";
import { rowCoder } from "@eventlogger/beam/rows/schema";
import { beamRowTypes, fromBeamRow, toBeamRow, type BeamRow } from "./beamRows";
import { deadLetterOfRefusedRow } from "./refusedRow";
import { tableByName, type DeadLetterRow, type TableName, type TableRows } from "@eventlogger/gcp/bigquery/tables";
import { registerModule } from "@eventlogger/beam/registerModule";

export interface StorageWriteTarget {
  readonly project: string;
  readonly dataset: string;
  /** It must exist. */
  readonly table: TableName;
}

export interface StorageWriteOptions {
  /** `host:port` of a Java expansion service with Beam's BigQuery sinks. */
  readonly expansionAddress: string;
  /**
   * `at-least-once`: rows are there at once, and may be doubled when a bundle is repeated. `exactly-once`: they are there
   * once committed, and the runner's state knows which are; as exact as that runner is after a crash.
   */
  readonly semantics: "at-least-once" | "exactly-once";
  /** How often exactly-once writes of a stream without end are committed; s. @default 5 */
  readonly triggeringFrequencySec?: number;
  /** Write streams for exactly-once writes of a stream without end. @default as many as the runner finds good */
  readonly numStreams?: number;
}

const URN = "beam:schematransform:org.apache.beam:bigquery_storage_write:v2";
const ERRORS = "errors";

/** A row of a table becomes a Beam row. */
export class ToBeamRow implements BundleDoFn<object, BeamRow> {
  constructor(readonly table: TableName) {}

  process(row: object, emit: Emit<BeamRow>): void {
    emit(toBeamRow(tableByName[this.table], row));
  }
}

interface RefusedBeamRow {
  readonly failed_row: BeamRow;
  readonly error_message: string;
}

/**
 * What the Java sink gives out for a row that it could not write becomes a dead letter; a refused dead letter or rollup
 * version fails the bundle. The sink does not tell whether BigQuery accepts other rows.
 */
export class RefusedToDeadLetter implements BundleDoFn<RefusedBeamRow, DeadLetterRow> {
  constructor(readonly table: TableName) {}

  process({ failed_row, error_message }: RefusedBeamRow, emit: Emit<DeadLetterRow>): void {
    const deadLetter = deadLetterOfRefusedRow({
      table: this.table,
      row: fromBeamRow(tableByName[this.table], failed_row),
      // The API names no reasons: a row that it takes apart from the others is not valid for the table.
      reason: "invalid",
      message: error_message,
    });
    emit(deadLetter, Date.now());
  }
}

/** The configuration of the Java sink, by the names of its own schema. */
function configuration(
  { project, dataset, table }: StorageWriteTarget,
  { semantics, triggeringFrequencySec, numStreams }: StorageWriteOptions,
): Record<string, unknown> {
  const common = {
    table: `${project}:${dataset}.${table}`,
    create_disposition: "CREATE_NEVER",
    write_disposition: "WRITE_APPEND",
    error_handling: { output: ERRORS },
  };
  if (semantics === "at-least-once") return { ...common, use_at_least_once_semantics: true, auto_sharding: false };
  return {
    ...common,
    use_at_least_once_semantics: false,
    triggering_frequency_seconds: triggeringFrequencySec ?? null,
    auto_sharding: numStreams === undefined,
    num_streams: numStreams ?? null,
  };
}

/**
 * Writes rows to a table by the BigQuery Storage Write API, through Beam's Java sink; the output are dead letters for
 * refused rows. Columns are as in tables.ts: the table is neither made nor asked for its schema.
 */
export function storageWrite<T extends TableName>(
  name: string,
  target: StorageWriteTarget & { readonly table: T },
  options: StorageWriteOptions,
): AsyncPTransform<PCollection<TableRows[T]>, PCollection<DeadLetterRow>> {
  const { table } = target;
  return withName(name, async (rows: PCollection<TableRows[T]>) => {
    const input = pipe(
      rows,
      bundleParDo("ToBeamRows", new ToBeamRow(table), rowCoder(beamRowTypes(tableByName[table]))),
    );
    const write = schemaTransform("StorageWrite", URN, configuration(target, options), options.expansionAddress);
    const { [ERRORS]: errors } = await P({ input }).applyAsync(write);
    if (!errors) throw new Error(`${URN} has no output ${ERRORS}`);
    return pipe(
      errors as PCollection<RefusedBeamRow>,
      bundleParDo("ToDeadLetters", new RefusedToDeadLetter(table), new GeneralObjectCoder<DeadLetterRow>()),
    );
  });
}

registerModule(module);
