import "@eventlogger/beam/sdk";
import { createHash } from "node:crypto";
import type { PCollection } from "apache-beam";
import type { PTransform } from "apache-beam/transforms/transform";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { bundleParDo, reportFailure, type BundleDoFn, type Emit, type EmitTimestamped } from "@eventlogger/beam";
import { deadLetterId } from "../../deadLetters/storedDeadLetter";
import { canBeDeadLetter, deadLetterOfRefusedRow } from "./refusedRow";
import { RowWriter } from "./rowWriter";
import { sinkRow, type SinkInputs } from "./sinkRows";
import type { DeadLetter } from "@eventlogger/events/deadLetter";
import type { TableName, TableRows } from "@eventlogger/gcp/bigquery/tables";
import { registerModule } from "@eventlogger/beam/registerModule";
import { log } from "@eventlogger/beam/worker/log";

export interface TableTarget {
  readonly project: string;
  readonly dataset: string;
  /** URL of an emulator; undefined for the service of Google Cloud. */
  readonly endpoint: string | undefined;
}

const digest = (text: string): string => createHash("sha256").update(text).digest("base64url");

const INSERT_IDS: { readonly [T in TableName]: (row: TableRows[T]) => string } = {
  events: (row) => row.event_id,
  daily_rollup_versions: (row) => `${row.generation}-${row.date}-${row.version}`,
  weekly_retention_versions: (row) => `${row.generation}-${row.cohort_week}-${row.week_offset}-${row.version}`,
  dead_letters: deadLetterId,
  accepted_ids: (row) => digest(`${row.event_date}\n${row.hashes}`),
};

/**
 * Writes the rows of a bundle and emits dead letters for those that BigQuery refuses while it accepts others. The bundle
 * finishes when every row is written or refused. It fails when that takes too long, and the runner retries it. A refused
 * row of any other table than `events` always fails the bundle.
 */
export class WriteRows<T extends TableName> implements BundleDoFn<SinkInputs[T], DeadLetter> {
  private writer: RowWriter<TableRows[T]> | undefined;

  constructor(
    readonly target: TableTarget,
    readonly table: T,
    /** How long BigQuery may refuse rows or be unreachable before the bundle fails; ms. */
    readonly retryForMs?: number,
  ) {}

  private open(): RowWriter<TableRows[T]> {
    this.writer ??= new RowWriter<TableRows[T]>({
      ...this.target,
      table: this.table,
      refusedRows: canBeDeadLetter(this.table) ? "return" : "fail",
      retryForMs: this.retryForMs,
      onRetry: (notice) => {
        log.warn(`BigQuery table ${this.table}: ${JSON.stringify(notice)}`);
        reportFailure({ what: `writing to BigQuery table ${this.table}`, error: notice.error });
      },
    });
    return this.writer;
  }

  process(input: SinkInputs[T], _emit: Emit<DeadLetter>): void | Promise<void> {
    const row = sinkRow[this.table](input);
    return this.open().write(row, INSERT_IDS[this.table](row));
  }

  async finishBundle(emit: EmitTimestamped<DeadLetter>): Promise<void> {
    if (!this.writer) return;
    for (const { row, reason, message } of await this.writer.flush()) {
      emit(deadLetterOfRefusedRow({ table: this.table, row, reason, message }), Date.now());
    }
  }

  bundleFailed(): void {
    this.writer?.discard();
  }
}

/** Writes to a table by streaming inserts. The output are dead letters for refused rows. */
export function writeRows<T extends TableName>(
  name: string,
  target: TableTarget,
  table: T,
): PTransform<PCollection<SinkInputs[T]>, PCollection<DeadLetter>> {
  return bundleParDo(name, new WriteRows(target, table), new GeneralObjectCoder<DeadLetter>());
}

registerModule(module);
