import type { BigQuery } from "@google-cloud/bigquery";
import { bigQueryClient, type BigQueryConnection } from "@eventlogger/gcp/bigquery/client";
import type { Backoff } from "@eventlogger/process/backoff";
import { BatchDelivery, type FailedRow, type PendingRow, type RetryNotice } from "./insert/batchDelivery";
import { insertAll, insertAllRow } from "./insert/insertAll";
import { Slots } from "./insert/slots";
import { TableEvidence } from "./insert/tableEvidence";

export { RowsNotWrittenError, type FailedRow, type RetryNotice } from "./insert/batchDelivery";

export interface RowWriterOptions extends BigQueryConnection {
  readonly dataset: string;
  readonly table: string;
  /** @default 500, what BigQuery recommends. */
  readonly maxBatchRows?: number;
  /** Of JSON text; a larger row goes alone. @default 5 MB; BigQuery takes 10 MB a request. */
  readonly maxBatchBytes?: number;
  /** Requests at a time. @default 4 */
  readonly maxInFlight?: number;
  /** How long one batch is tried for. @default 90 s */
  readonly retryForMs?: number;
  /** When an attempt without an answer is given up. @default 20 s */
  readonly requestTimeoutMs?: number;
  /** @default 100 ms to 10 s */
  readonly backoff?: Backoff;
  /**
   * What happens to a row that BigQuery refuses while it accepts others: `return` reports it from flush; `fail` retries it
   * until the deadline, then flush rejects. @default "return"
   */
  readonly refusedRows?: "return" | "fail";
  /** Called before each wait for another attempt. */
  readonly onRetry?: (notice: RetryNotice) => void;
}

/** What belongs to one flush. */
interface Generation<Row> {
  readonly tasks: Set<Promise<void>>;
  readonly failed: FailedRow<Row>[];
  readonly abort: AbortController;
  error?: Error;
}

/**
 * Writes rows to a table by tabledata.insertAll, in batches, several at a time. Every row is written (maybe twice, with
 * the same insertId), or reported as refused, or flush rejects: nothing is lost silently. A row is only reported as refused
 * when BigQuery accepts other rows of the table meanwhile.
 *
 * ```
 * for (const row of rows) await writer.write(row, id);
 * const refused = await writer.flush();
 * ```
 */
export class RowWriter<Row extends object> {
  private readonly options: Required<Omit<RowWriterOptions, "onRetry" | "endpoint">> & RowWriterOptions;
  private readonly bigquery: BigQuery;
  private readonly slots: Slots;
  private readonly evidence = new TableEvidence();
  private stopped: Error | undefined;
  /** Those that are not flushed yet. */
  private readonly live = new Set<Generation<Row>>();
  private generation = this.begin();
  private batch: PendingRow<Row>[] = [];
  private batchBytes = 0;

  constructor(options: RowWriterOptions) {
    this.options = {
      ...options,
      maxBatchRows: options.maxBatchRows ?? 500,
      maxBatchBytes: options.maxBatchBytes ?? 5_000_000,
      maxInFlight: options.maxInFlight ?? 4,
      retryForMs: options.retryForMs ?? 90_000,
      requestTimeoutMs: options.requestTimeoutMs ?? 20_000,
      refusedRows: options.refusedRows ?? "return",
      backoff: options.backoff ?? { initialMs: 100, maxMs: 10_000 },
    };
    this.slots = new Slots(this.options.maxInFlight);
    // A client of its own, which sends nothing again by itself: there is one policy, the one here.
    this.bigquery = bigQueryClient(options, { autoRetry: false, timeout: this.options.requestTimeoutMs });
  }

  /**
   * Takes a row.
   * @param insertId the same for the same row, so that BigQuery recognises one that is sent twice.
   * @returns a promise when all requests are under way and a full batch waits: then the caller should wait, too.
   * @throws the error that flush will reject with, when one is known already; the reason when aborted.
   */
  write(row: Row, insertId: string): void | Promise<void> {
    const error = this.stopped ?? this.generation.error;
    if (error) throw error;
    const text = insertAllRow(row, insertId);
    const bytes = Buffer.byteLength(text);
    if (this.batchBytes + bytes > this.options.maxBatchBytes) this.sendBatch();
    this.batch.push({ row, insertId, text });
    this.batchBytes += bytes;
    if (this.batch.length >= this.options.maxBatchRows) this.sendBatch();
    return this.slots.lineEmpty();
  }

  /**
   * Resolves when every row since the last flush is written or refused.
   * @returns the refused rows.
   * @throws RowsNotWrittenError when that did not happen in time; then the rows since the last flush must be written
   *   again, all of them. The writer can be used on.
   */
  async flush(): Promise<FailedRow<Row>[]> {
    if (this.stopped) throw this.stopped;
    this.sendBatch();
    const { generation } = this;
    this.generation = this.begin();
    await Promise.all(generation.tasks);
    this.live.delete(generation);
    if (generation.error) throw generation.error;
    return generation.failed;
  }

  /**
   * Forgets the rows that are not flushed, such as those of a bundle that failed; a flush that waits rejects at once. Some
   * rows may be written all the same.
   */
  discard(): void {
    for (const generation of this.live) this.end(generation, new Error("The rows were discarded"));
    this.batch = [];
    this.batchBytes = 0;
    this.generation = this.begin();
  }

  /** Gives up at once: a flush that waits rejects with the reason, and so does every further use. */
  abort(reason: Error = new Error(`The writer of table ${this.options.table} was stopped`)): void {
    this.stopped = reason;
    for (const generation of this.live) this.end(generation, reason);
  }

  private begin(): Generation<Row> {
    const generation: Generation<Row> = { tasks: new Set(), failed: [], abort: new AbortController() };
    this.live.add(generation);
    return generation;
  }

  private end(generation: Generation<Row>, reason: Error): void {
    generation.error ??= reason;
    generation.abort.abort(reason);
    this.live.delete(generation);
  }

  private sendBatch(): void {
    const rows = this.batch;
    if (rows.length === 0) return;
    this.batch = [];
    this.batchBytes = 0;
    const { generation } = this;
    const task = this.slots
      .run(async () => {
        generation.failed.push(...(await this.deliver(rows, generation)));
      })
      // The other batches stop, too: their rows must be written again anyway.
      .catch((error: Error) => this.end(generation, error))
      .finally(() => generation.tasks.delete(task));
    generation.tasks.add(task);
  }

  private deliver(rows: PendingRow<Row>[], generation: Generation<Row>): Promise<FailedRow<Row>[]> {
    const { dataset, table, backoff, onRetry } = this.options;
    const delivery = new BatchDelivery<Row>({
      table,
      insert: (texts, skipInvalidRows) => insertAll(this.bigquery, { dataset, table }, texts, skipInvalidRows),
      evidence: this.evidence,
      returnsRefusedRows: this.options.refusedRows === "return",
      deadline: performance.now() + this.options.retryForMs,
      backoff,
      signal: generation.abort.signal,
      onRetry,
    });
    return delivery.deliver(rows);
  }
}
