import { setTimeout as sleep } from "node:timers/promises";
import type { Backoff } from "./backoff";
import { backoffMs } from "./backoff";
import type { RowError } from "./insertAll";
import { failureReason, judgeRequestFailure } from "./requestFailure";

/** A row on its way. */
export interface PendingRow<Row> {
  readonly row: Row;
  readonly insertId: string;
  /** What is sent. */
  readonly text: string;
}

/** A row that BigQuery refused for good. */
export interface FailedRow<Row> {
  readonly row: Row;
  readonly insertId: string;
  /** BigQuery's word, such as `invalid`. */
  readonly reason: string;
  readonly message: string;
}

/** BigQuery could not be brought to take rows (nor to refuse them); nobody knows whether they were written. */
export class RowsNotWrittenError extends Error {
  constructor(table: string, rows: number, attempts: number, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`BigQuery did not take ${rows} rows for table ${table} (${attempts} attempts): ${why}`, { cause });
    this.name = "RowsNotWrittenError";
  }
}

export interface RetryNotice {
  readonly table: string;
  readonly rows: number;
  readonly attempt: number;
  /** Until the next attempt. */
  readonly delayMs: number;
  readonly error: string;
}

/** What the deliveries of one writer know together. */
export interface ServerHealth {
  /** When the server last wrote a row, epoch ms. */
  lastWrittenAt: number;
}

/** What a delivery needs; the times are in ms. */
export interface Delivery {
  readonly table: string;
  /** Sends rows; returns those that were not inserted; throws when the request failed as a whole. */
  insert(rows: readonly string[], skipInvalidRows: boolean): Promise<RowError[]>;
  /** Whether the server answers other requests about the table. */
  serverAnswers(): Promise<boolean>;
  readonly health: ServerHealth;
  /** Epoch ms after which nothing is sent again. */
  readonly deadline: number;
  readonly backoff: Backoff;
  readonly signal: AbortSignal;
  onRetry?(notice: RetryNotice): void;
}

/** A single row is only called poison after this many failures of its own. */
const FAILURES_OF_POISON = 3;

/** Not inserted, though nothing is wrong with the row. */
const TRANSIENT_ROW_REASONS = new Set(["stopped", "timeout", "backendError", "internalError", "rateLimitExceeded"]);

/** How one request went. */
type Attempt = { readonly ok: true; readonly rowErrors: RowError[] } | { readonly ok: false; readonly error: Error };

/**
 * Delivers one batch: sends it again until every row is either written or refused.
 *
 * A batch that the server fails as a whole, while it answers otherwise, is cut in halves until the row that it stumbles
 * over is alone. That row counts as refused once the server has written other rows since. A server that answers nothing,
 * or fails everything, is one in trouble: then the rows wait.
 */
export class BatchDelivery<Row> {
  private readonly failed: FailedRow<Row>[] = [];
  private attempts = 0;
  /** When the server first stumbled, epoch ms; the rows that are left have been in every such request since. */
  private firstSuspectAt: number | undefined;

  constructor(private readonly delivery: Delivery) {}

  /**
   * @returns the rows that were refused.
   * @throws RowsNotWrittenError when the deadline has passed, or sending again cannot help; the signal's reason when
   *   aborted.
   */
  async deliver(rows: readonly PendingRow<Row>[]): Promise<FailedRow<Row>[]> {
    await this.send(rows);
    return this.failed;
  }

  private async send(batch: readonly PendingRow<Row>[]): Promise<void> {
    let rows = batch;
    // Good rows are not held up by bad ones; not from the start, for then servers check every row by itself.
    let skipInvalidRows = this.attempts > 0;
    let suspects = 0;
    for (let failures = 1; ; failures++) {
      const attempt = await this.attempt(rows, skipInvalidRows);
      if (attempt.ok) {
        const rest = this.settle(rows, attempt.rowErrors);
        if (rest.length === 0) return;
        const [first] = attempt.rowErrors;
        await this.wait(rest, failures, new Error(`${rest.length} rows not inserted: ${first?.reason}`));
        rows = rest;
        skipInvalidRows = true;
        continue;
      }
      const { error } = attempt;
      switch (judgeRequestFailure(error)) {
        case "fatal":
          throw new RowsNotWrittenError(this.delivery.table, rows.length, this.attempts, error);
        case "refused":
          return this.isolate(rows, error);
        case "suspect":
          this.firstSuspectAt ??= Date.now();
          if (await this.isPoisoned(rows, ++suspects)) return this.isolate(rows, error);
          skipInvalidRows = true;
          break;
        case "retry":
          break;
      }
      await this.wait(rows, failures, error);
    }
  }

  private async attempt(rows: readonly PendingRow<Row>[], skipInvalidRows: boolean): Promise<Attempt> {
    const { signal } = this.delivery;
    signal.throwIfAborted();
    this.attempts++;
    const texts = rows.map((row) => row.text);
    try {
      return { ok: true, rowErrors: await unlessAborted(this.delivery.insert(texts, skipInvalidRows), signal) };
    } catch (error) {
      signal.throwIfAborted();
      return { ok: false, error: error as Error };
    }
  }

  /** Notes what became of the rows of a request; returns those to send again. */
  private settle(rows: readonly PendingRow<Row>[], errors: readonly RowError[]): PendingRow<Row>[] {
    if (errors.length < rows.length) this.delivery.health.lastWrittenAt = Date.now();
    const again: PendingRow<Row>[] = [];
    for (const error of errors) {
      const row = rows[error.index];
      if (!row) continue;
      if (TRANSIENT_ROW_REASONS.has(error.reason)) again.push(row);
      else this.refuse(row, error.reason, error.message);
    }
    return again;
  }

  /** Whether it is a row that makes the server fail, after `suspects` failures of just these rows. */
  private async isPoisoned(rows: readonly PendingRow<Row>[], suspects: number): Promise<boolean> {
    const { health, deadline } = this.delivery;
    const wroteOthers = health.lastWrittenAt >= (this.firstSuspectAt ?? Infinity);
    // To cut a batch in halves needlessly costs little; to give up a good row must not happen.
    if (rows.length > 1) return wroteOthers || (suspects > 1 && (await this.delivery.serverAnswers()));
    if (suspects < FAILURES_OF_POISON) return false;
    return wroteOthers || (Date.now() >= deadline && (await this.delivery.serverAnswers()));
  }

  /** Cuts in halves, or refuses the row when it is alone. */
  private async isolate(rows: readonly PendingRow<Row>[], error: Error): Promise<void> {
    const [first] = rows;
    if (rows.length === 1 && first) return this.refuse(first, failureReason(error), error.message);
    const middle = Math.ceil(rows.length / 2);
    await this.send(rows.slice(0, middle));
    await this.send(rows.slice(middle));
  }

  private refuse({ row, insertId }: PendingRow<Row>, reason: string, message: string): void {
    this.failed.push({ row, insertId, reason, message });
  }

  private async wait(rows: readonly PendingRow<Row>[], failures: number, error: Error): Promise<void> {
    const { table, backoff, signal, deadline } = this.delivery;
    if (Date.now() >= deadline) throw new RowsNotWrittenError(table, rows.length, this.attempts, error);
    // The last attempt is made at the deadline.
    const delayMs = Math.max(0, Math.min(backoffMs(failures, backoff), deadline - Date.now()));
    this.delivery.onRetry?.({ table, rows: rows.length, attempt: this.attempts, delayMs, error: error.message });
    await sleep(delayMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** The result of a promise, or the signal's reason when that comes first. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
