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
  /** Maximum rows per request. @default 500, which BigQuery recommends */
  readonly maxBatchRows?: number;
  /** Maximum bytes of JSON text per request. A larger row is sent alone. @default 5 MB; BigQuery accepts 10 MB. */
  readonly maxBatchBytes?: number;
  /** Maximum concurrent requests. @default 4 */
  readonly maxInFlight?: number;
  /** How long a batch is retried; ms. @default 90 s */
  readonly retryForMs?: number;
  /** Timeout of a request; ms. @default 20 s */
  readonly requestTimeoutMs?: number;
  /** Delay between attempts. @default 100 ms to 10 s */
  readonly backoff?: Backoff;
  /**
   * What to do with a row that BigQuery refuses while it accepts others: `return` returns it from flush; `fail` retries it
   * until the deadline, then flush rejects. @default "return"
   */
  readonly refusedRows?: "return" | "fail";
  /** Called before each wait for another attempt. */
  readonly onRetry?: (notice: RetryNotice) => void;
}

/** The rows between two flushes. */
interface FlushScope<Row> {
  readonly tasks: Set<Promise<void>>;
  readonly failed: FailedRow<Row>[];
  readonly abort: AbortController;
  error?: Error;
}

/**
 * Writes rows to a table with tabledata.insertAll, in concurrent batches. No row is lost silently: it is written (possibly
 * twice, with the same insertId), or returned as refused, or flush rejects. A row is returned as refused only when BigQuery
 * accepts other rows of the table in the meantime.
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
  /** Scopes that are not flushed yet. */
  private readonly live = new Set<FlushScope<Row>>();
  private scope = this.begin();
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
    // A separate client without retries, because this class has its own retry policy.
    this.bigquery = bigQueryClient(options, { autoRetry: false, timeout: this.options.requestTimeoutMs });
  }

  /**
   * Adds a row to the current batch.
   * @param insertId the same for the same row, so that BigQuery can remove duplicates
   * @returns a promise when all requests are in flight and a full batch waits; the caller should then wait for it
   * @throws the error that flush will reject with, if it is already known; the reason when aborted
   */
  write(row: Row, insertId: string): void | Promise<void> {
    const error = this.stopped ?? this.scope.error;
    if (error) throw error;
    const text = insertAllRow(row, insertId);
    const bytes = Buffer.byteLength(text);
    if (this.batchBytes + bytes > this.options.maxBatchBytes) this.sendBatch();
    this.batch.push({ row, insertId, text });
    this.batchBytes += bytes;
    if (this.batch.length >= this.options.maxBatchRows) this.sendBatch();
    return this.slots.queueEmpty();
  }

  /**
   * Resolves when every row since the last flush is written or refused.
   * @returns the refused rows
   * @throws RowsNotWrittenError when the deadline passes first. All rows since the last flush must then be written again.
   *   The writer stays usable.
   */
  async flush(): Promise<FailedRow<Row>[]> {
    if (this.stopped) throw this.stopped;
    this.sendBatch();
    const { scope } = this;
    this.scope = this.begin();
    await Promise.all(scope.tasks);
    this.live.delete(scope);
    if (scope.error) throw scope.error;
    return scope.failed;
  }

  /**
   * Discards the rows that are not flushed, for example those of a failed bundle. A pending flush rejects at once. Some of the
   * rows may still be written.
   */
  discard(): void {
    for (const scope of this.live) this.end(scope, new Error("The rows were discarded"));
    this.batch = [];
    this.batchBytes = 0;
    this.scope = this.begin();
  }

  /** Stops the writer at once: a pending flush and every further call reject with the reason. */
  abort(reason: Error = new Error(`The writer of table ${this.options.table} was stopped`)): void {
    this.stopped = reason;
    for (const scope of this.live) this.end(scope, reason);
  }

  private begin(): FlushScope<Row> {
    const scope: FlushScope<Row> = { tasks: new Set(), failed: [], abort: new AbortController() };
    this.live.add(scope);
    return scope;
  }

  private end(scope: FlushScope<Row>, reason: Error): void {
    scope.error ??= reason;
    scope.abort.abort(reason);
    this.live.delete(scope);
  }

  private sendBatch(): void {
    const rows = this.batch;
    if (rows.length === 0) return;
    this.batch = [];
    this.batchBytes = 0;
    const { scope } = this;
    const task = this.slots
      .run(async () => {
        scope.failed.push(...(await this.deliver(rows, scope)));
      })
      // Stops the other batches: their rows must be written again anyway.
      .catch((error: unknown) => this.end(scope, error as Error))
      .finally(() => scope.tasks.delete(task));
    scope.tasks.add(task);
  }

  private deliver(rows: PendingRow<Row>[], scope: FlushScope<Row>): Promise<FailedRow<Row>[]> {
    const { dataset, table, backoff, onRetry } = this.options;
    const delivery = new BatchDelivery<Row>({
      table,
      insert: (texts, skipInvalidRows) => insertAll(this.bigquery, { dataset, table }, texts, skipInvalidRows),
      evidence: this.evidence,
      returnsRefusedRows: this.options.refusedRows === "return",
      deadline: performance.now() + this.options.retryForMs,
      backoff,
      signal: scope.abort.signal,
      onRetry,
    });
    return delivery.deliver(rows);
  }
}
