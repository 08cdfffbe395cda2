import "@eventlogger/beam/sdk";
import { P, type PCollection } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { withName, type AsyncPTransform } from "apache-beam/transforms/transform";
import { bundleParDo, pipe, type BundleDoFn, type Emit } from "@eventlogger/beam";
import { schemaTransform } from "@eventlogger/beam/expansion/schemaTransform";
import { rowCoder } from "@eventlogger/beam/rows/schema";
import { beamRowTypes, fromBeamRow, toBeamRow, type BeamRow } from "./beamRows";
import { deadLetterOfRefusedRow } from "./refusedRow";
import { sinkRow, type SinkInputs } from "./sinkRows";
import type { DeadLetter } from "@eventlogger/events/deadLetter";
import { tableByName, type TableName } from "@eventlogger/gcp/bigquery/tables";
import { registerModule } from "@eventlogger/beam/registerModule";

export interface StorageWriteTarget {
  readonly project: string;
  readonly dataset: string;
  /** An existing table. */
  readonly table: TableName;
}

export interface StorageWriteOptions {
  /** `host:port` of a Java expansion service with Beam's BigQuery sinks. */
  readonly expansionAddress: string;
  /**
   * `at-least-once`: rows are visible at once, and a repeated bundle may duplicate them. `exactly-once`: rows are visible
   * after a commit, and the runner's state tracks the commits; as exact as that runner is after a crash.
   */
  readonly semantics: "at-least-once" | "exactly-once";
  /** How often exactly-once writes of an unbounded stream are committed; s. @default 5 */
  readonly triggeringFrequencySec?: number;
  /** Write streams for exactly-once writes of an unbounded stream. @default the runner chooses */
  readonly numStreams?: number;
}

const URN = "beam:schematransform:org.apache.beam:bigquery_storage_write:v2";
const ERRORS = "errors";

/** Maps what the sink accepts to the Beam row of its table. */
export class ToBeamRow<T extends TableName> implements BundleDoFn<SinkInputs[T], BeamRow> {
  constructor(readonly table: T) {}

  process(input: SinkInputs[T], emit: Emit<BeamRow>): void {
    emit(toBeamRow(tableByName[this.table], sinkRow[this.table](input)));
  }
}

interface RefusedBeamRow {
  readonly failed_row: BeamRow;
  readonly error_message: string;
}

/**
 * Turns a row that the Java sink could not write into a dead letter. A refused dead letter or rollup version fails the
 * bundle. The sink does not report whether BigQuery accepts other rows.
 */
export class RefusedToDeadLetter implements BundleDoFn<RefusedBeamRow, DeadLetter> {
  constructor(readonly table: TableName) {}

  process({ failed_row, error_message }: RefusedBeamRow, emit: Emit<DeadLetter>): void {
    const deadLetter = deadLetterOfRefusedRow({
      table: this.table,
      row: fromBeamRow(tableByName[this.table], failed_row),
      // The API gives no reasons. A row that it refuses by itself is not valid for the table.
      reason: "invalid",
      message: error_message,
    });
    emit(deadLetter, Date.now());
  }
}

/** The configuration of the Java sink, with the field names of its schema. */
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
 * Writes to a table with the BigQuery Storage Write API, through Beam's Java sink. The output are dead letters for refused
 * rows. The columns come from tables.ts: the sink neither creates the table nor reads its schema.
 */
export function storageWrite<T extends TableName>(
  name: string,
  target: StorageWriteTarget & { readonly table: T },
  options: StorageWriteOptions,
): AsyncPTransform<PCollection<SinkInputs[T]>, PCollection<DeadLetter>> {
  const { table } = target;
  return withName(name, async (rows: PCollection<SinkInputs[T]>) => {
    const input = pipe(
      rows,
      bundleParDo("ToBeamRows", new ToBeamRow(table), rowCoder(beamRowTypes(tableByName[table]))),
    );
    const write = schemaTransform("StorageWrite", URN, configuration(target, options), options.expansionAddress);
    const { [ERRORS]: errors } = await P({ input }).applyAsync(write);
    if (!errors) throw new Error(`${URN} has no output ${ERRORS}`);
    return pipe(
      errors as PCollection<RefusedBeamRow>,
      bundleParDo("ToDeadLetters", new RefusedToDeadLetter(table), new GeneralObjectCoder<DeadLetter>()),
    );
  });
}

registerModule(module);
