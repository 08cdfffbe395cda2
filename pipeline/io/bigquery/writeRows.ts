import "@eventlogger/beam/sdk";
import type { PCollection } from "apache-beam";
import type { PTransform } from "apache-beam/transforms/transform";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { createHash } from "node:crypto";
import { bundleParDo, type BundleDoFn, type Emit, type EmitTimestamped } from "@eventlogger/beam";
import { canBeDeadLetter, deadLetterOfRefusedRow } from "./refusedRow";
import { RowWriter } from "./rowWriter";
import type { DeadLetterRow, TableName, TableRows } from "@eventlogger/gcp/bigquery/tables";
import { registerModule } from "@eventlogger/beam/registerModule";

export interface TableTarget {
  readonly project: string;
  readonly dataset: string;
  /** An emulator; undefined for Google's service. */
  readonly endpoint: string | undefined;
}

const INSERT_IDS: { readonly [T in TableName]: (row: TableRows[T]) => string } = {
  events: (row) => row.event_id,
  daily_rollup_versions: (row) => `${row.date}-${row.version}`,
  dead_letters: (row) => createHash("sha256").update(`${row.source}\n${row.payload}`).digest("base64url"),
};

/**
 * Writes the rows of a bundle and gives out dead letters for those that BigQuery refuses while it accepts others. The bundle
 * ends when every row is written or refused, and fails when that does not happen in time: the runner then retries it. A
 * refused dead letter or rollup version always fails the bundle.
 */
export class WriteRows<T extends TableName> implements BundleDoFn<TableRows[T], DeadLetterRow> {
  private writer: RowWriter<TableRows[T]> | undefined;

  constructor(
    readonly target: TableTarget,
    readonly table: T,
    /** How long BigQuery may refuse rows or not answer before the bundle fails; ms. */
    readonly retryForMs?: number,
  ) {}

  private open(): RowWriter<TableRows[T]> {
    this.writer ??= new RowWriter<TableRows[T]>({
      ...this.target,
      table: this.table,
      refusedRows: canBeDeadLetter(this.table) ? "return" : "fail",
      retryForMs: this.retryForMs,
      onRetry: (notice) => console.warn(`BigQuery table ${this.table}: ${JSON.stringify(notice)}`),
    });
    return this.writer;
  }

  process(row: TableRows[T], _emit: Emit<DeadLetterRow>): void | Promise<void> {
    return this.open().write(row, INSERT_IDS[this.table](row));
  }

  async finishBundle(emit: EmitTimestamped<DeadLetterRow>): Promise<void> {
    if (!this.writer) return;
    for (const { row, reason, message } of await this.writer.flush()) {
      emit(deadLetterOfRefusedRow({ table: this.table, row, reason, message }), Date.now());
    }
  }

  bundleFailed(): void {
    this.writer?.discard();
  }
}

/** Writes rows to a table by streaming inserts; the output are dead letters for refused rows. */
export function writeRows<T extends TableName>(
  name: string,
  target: TableTarget,
  table: T,
): PTransform<PCollection<TableRows[T]>, PCollection<DeadLetterRow>> {
  return bundleParDo(name, new WriteRows(target, table), new GeneralObjectCoder<DeadLetterRow>());
}

registerModule(module);
