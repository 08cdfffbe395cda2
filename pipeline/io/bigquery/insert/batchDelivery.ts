import { setTimeout as sleep } from "node:timers/promises";
import type { Backoff } from "@eventlogger/process/backoff";
import { backoffMs } from "@eventlogger/process/backoff";
import { MAX_ROW_BYTES, type RowError } from "./insertAll";
import { failureReason, judgeRequestFailure } from "./requestFailure";
import { withoutRowValues } from "./rowValues";
import type { TableEvidence } from "./tableEvidence";

/** A row that is not written yet. */
export interface PendingRow<Row> {
  readonly row: Row;
  readonly insertId: string;
  /** The JSON text that is sent. */
  readonly text: string;
}

/** A row that BigQuery refuses while it accepts others of the same table. */
export interface FailedRow<Row> {
  readonly row: Row;
  readonly insertId: string;
  /** BigQuery's reason, such as `invalid`. */
  readonly reason: string;
  readonly message: string;
}

/**
 * Thrown when rows were neither accepted nor refused before the deadline, or when retrying cannot help, for example because a
 * permission is missing. Some of the rows may have been written: write all of them again.
 */
export class RowsNotWrittenError extends Error {
  constructor(table: string, rows: number, attempts: number, cause: unknown) {
    const what = `${rows} ${rows === 1 ? "row" : "rows"} for table ${table}`;
    const tries = `${attempts} ${attempts === 1 ? "attempt" : "attempts"}`;
    const why = cause instanceof Error ? cause.message : String(cause);
    super(
      `BigQuery did not accept ${what} (${tries}). Last answer: ${why}. The bundle fails and its messages are redelivered`,
      { cause },
    );
    this.name = "RowsNotWrittenError";
  }
}

export interface RetryNotice {
  readonly table: string;
  readonly rows: number;
  readonly attempt: number;
  /** Time until the next attempt; ms. */
  readonly delayMs: number;
  readonly error: string;
}

/** The parameters of a delivery; times are in ms. */
export interface Delivery {
  readonly table: string;
  /** Sends rows and returns those that were not inserted. Throws when the whole request failed. */
  insert(rows: readonly string[], skipInvalidRows: boolean): Promise<RowError[]>;
  readonly evidence: TableEvidence;
  /** Whether refused rows are returned. If not, they are retried until the deadline. */
  readonly returnsRefusedRows: boolean;
  /** Time of `performance.now()` after which nothing is sent. */
  readonly deadline: number;
  readonly backoff: Backoff;
  readonly signal: AbortSignal;
  onRetry?(notice: RetryNotice): void;
}

/**
 * How often a row whose whole request is refused must be refused again, each time after another row was accepted, before it
 * is refused permanently. More than once, because one of several servers may have an outdated schema and refuse every row.
 */
const CONFIRMATIONS = 4;

/** Reasons for not inserting a valid row. */
const TRANSIENT_ROW_REASONS = new Set(["stopped", "timeout", "backendError", "internalError", "rateLimitExceeded"]);

/** The outcome of one request. */
type Attempt = { readonly ok: true; readonly rowErrors: RowError[] } | { readonly ok: false; readonly error: Error };

/** A request and the evidence when it started, in ticks. */
interface Sent {
  readonly attempt: Attempt;
  readonly startedAt: number;
  /** `lastAcceptedAt` when it started. */
  readonly acceptedBefore: number;
}

/** Rows that are sent in one request. */
interface Part<Row> {
  readonly rows: readonly PendingRow<Row>[];
  /** How often a request with exactly these rows was answered with 500. */
  readonly suspects: number;
}

interface Refusal {
  /** The tick of the last refusal of the row, alone or in a refused request. */
  readonly seenAt: number;
  /** Whether the answer named the row; otherwise it refused the whole request. */
  readonly named: boolean;
  /**
   * How often the row was refused again after another one was accepted. Of a named row this only tells that a control is
   * needed: 1 or 0.
   */
  readonly confirmations: number;
}

/**
 * Delivers one batch: sends rows until each is written or refused permanently.
 *
 * A single refusal proves nothing, because a table with a wrong schema or a proxy refuses every row. A row that an answer
 * names is refused permanently when the same answer accepts another row. A row whose whole request is refused is refused
 * permanently when a later request has another row accepted and the row is then refused again, {@link CONFIRMATIONS} times.
 * All other rows wait and are retried until the deadline.
 *
 * A request that is refused as a whole is split in halves once the table is known to accept rows. A probe, one row sent
 * alone, finds that out. When no other row is left to compare with, a control is sent: a row that was accepted since the first
 * refusal, once more, with its insertId.
 */
export class BatchDelivery<Row> {
  private readonly failed: FailedRow<Row>[] = [];
  private readonly refusals = new Map<PendingRow<Row>, Refusal>();
  /** The tick of the first refusal. */
  private firstRefusedAt = Infinity;
  private attempts = 0;
  /** Whether the server has trouble, so that the remaining parts wait for the next round. */
  private roundEnded = false;
  private lastError = new Error("no request was sent");

  constructor(private readonly delivery: Delivery) {}

  /**
   * @returns the rows that were refused permanently
   * @throws RowsNotWrittenError when the deadline has passed or retrying cannot help; the signal's reason when aborted
   */
  async deliver(rows: readonly PendingRow<Row>[]): Promise<FailedRow<Row>[]> {
    const sendable = rows.filter((row) => !this.isTooLarge(row));
    let parts: Part<Row>[] = sendable.length ? [{ rows: sendable, suspects: 0 }] : [];
    let left = sendable.length;
    let failures = 0;
    while (parts.length) {
      const isControlAccepted = await this.isControlAccepted();
      this.roundEnded = false;
      if (isControlAccepted) parts = await this.sendAll(parts);
      const count = parts.reduce((sum, part) => sum + part.rows.length, 0);
      if (count === 0) break;
      failures = count < left ? 1 : failures + 1;
      left = count;
      await this.wait(count, failures);
    }
    return this.failed;
  }

  /** Sends parts sequentially and returns those that remain for the next round. */
  private async sendAll(parts: readonly Part<Row>[]): Promise<Part<Row>[]> {
    const left: Part<Row>[] = [];
    for (const part of parts) left.push(...(await this.send(part)));
    return left;
  }

  private async send(part: Part<Row>): Promise<Part<Row>[]> {
    const { rows } = part;
    if (rows.length === 0) return [];
    if (this.roundEnded) return [part];
    const texts = rows.map((row) => row.text);
    const control = rows.some((row) => this.needsControl(row)) ? this.control : undefined;
    const sent = await this.attempt(control === undefined ? texts : [...texts, control]);
    const { attempt } = sent;
    if (attempt.ok) {
      const again = this.settle(rows, control, attempt.rowErrors, sent);
      return again.length ? [{ rows: again, suspects: 0 }] : [];
    }
    const { error } = attempt;
    const verdict = judgeRequestFailure(error);
    switch (verdict) {
      case "fatal":
        throw new RowsNotWrittenError(this.delivery.table, rows.length, this.attempts, this.lastError);
      case "retry":
        this.roundEnded = true;
        return [part];
      case "refused":
      case "suspect":
        return this.refused(part, sent, error, { suspect: verdict === "suspect", alone: texts.length === 1 });
    }
  }

  /** Handles rows whose whole request was refused. Returns the parts to send again. */
  private async refused(
    part: Part<Row>,
    sent: Sent,
    error: Error,
    { suspect, alone }: { suspect: boolean; alone: boolean },
  ): Promise<Part<Row>[]> {
    const { rows } = part;
    const again: Part<Row> = { rows, suspects: part.suspects + (suspect ? 1 : 0) };
    const [first] = rows;
    if (alone && first) return this.isRefusedPermanently(first, sent, error) ? [] : [again];
    // If others were accepted since these rows were last refused, a row is the cause; otherwise the table or the server is.
    const othersAccepted = rows.every((row) => sent.acceptedBefore > (this.refusals.get(row)?.seenAt ?? Infinity));
    const seenAt = this.seeRefusal();
    for (const row of rows) this.refusals.set(row, { seenAt, named: false, confirmations: 0 });
    if (rows.length === 1) return [again];
    if (othersAccepted) return this.sendAll(halves(rows));
    // A single 500 is much more often caused by the server than by a row.
    if (suspect && again.suspects < 2) return [again];
    const probe = rows[Math.floor(Math.random() * rows.length)] as PendingRow<Row>;
    const probeLeft = await this.send({ rows: [probe], suspects: 0 });
    if (this.delivery.evidence.lastAcceptedAt <= seenAt) return [again];
    return [...probeLeft, ...(await this.sendAll(halves(rows.filter((row) => row !== probe))))];
  }

  /** Records the outcome of a request's rows, and of a control after them. Returns the rows to send again. */
  private settle(
    rows: readonly PendingRow<Row>[],
    control: string | undefined,
    errors: readonly RowError[],
    sent: Sent,
  ): PendingRow<Row>[] {
    const byIndex = new Map(errors.map((error) => [error.index, error]));
    const texts = [...rows.map((row) => row.text), ...(control === undefined ? [] : [control])];
    const unknown = errors.find(({ index }) => texts[index] === undefined);
    if (unknown) {
      this.lastError = new Error(`The answer names row ${unknown.index} of a request of ${texts.length} rows`);
      return [...rows];
    }
    const accepted = texts.find((_, index) => !byIndex.has(index));
    if (accepted !== undefined) this.delivery.evidence.accept(sent.startedAt, accepted);
    const again: PendingRow<Row>[] = [];
    for (const [index, row] of rows.entries()) {
      const error = byIndex.get(index);
      if (!error) {
        this.refusals.delete(row);
      } else if (TRANSIENT_ROW_REASONS.has(error.reason)) {
        again.push(row);
      } else if (accepted !== undefined && this.delivery.returnsRefusedRows) {
        this.refuse(row, error.reason, error.message);
      } else {
        const confirmations = sent.acceptedBefore > this.firstRefusedAt ? 1 : 0;
        this.refusals.set(row, { seenAt: this.seeRefusal(), named: true, confirmations });
        again.push(row);
      }
    }
    const [first] = errors.slice().sort((a, b) => weight(a) - weight(b));
    if (first && again.length) this.lastError = new Error(`${first.reason}: ${withoutRowValues(first.message, texts)}`);
    return again;
  }

  /** Records the refusal of a request with only this row, and decides whether the row is proven to be the cause. */
  private isRefusedPermanently(row: PendingRow<Row>, sent: Sent, error: Error): boolean {
    const before = this.refusals.get(row);
    const confirmed = before !== undefined && sent.acceptedBefore > before.seenAt;
    const confirmations = (before && !before.named ? before.confirmations : 0) + (confirmed ? 1 : 0);
    this.refusals.set(row, { seenAt: this.seeRefusal(), named: false, confirmations });
    if (confirmations < CONFIRMATIONS || !this.delivery.returnsRefusedRows) return false;
    this.refuse(row, failureReason(error), error.message);
    return true;
  }

  /** Whether a row was refused by name, and again after another row was accepted. */
  private needsControl(row: PendingRow<Row>): boolean {
    const refusal = this.refusals.get(row);
    return refusal !== undefined && refusal.named && refusal.confirmations > 0;
  }

  private seeRefusal(): number {
    const tick = this.delivery.evidence.tick();
    this.firstRefusedAt = Math.min(this.firstRefusedAt, tick);
    return tick;
  }

  /** Whether the row exceeds the size that BigQuery documents. Such a row is refused without a request. */
  private isTooLarge(row: PendingRow<Row>): boolean {
    // A UTF-16 unit takes at most 3 bytes of UTF-8, so most rows need no exact count.
    if (row.text.length * 3 <= MAX_ROW_BYTES || !this.delivery.returnsRefusedRows) return false;
    const bytes = Buffer.byteLength(row.text);
    if (bytes <= MAX_ROW_BYTES) return false;
    this.refuse(row, "rowTooLarge", `The row has ${bytes} bytes; BigQuery accepts up to ${MAX_ROW_BYTES}`);
    return true;
  }

  private refuse(pending: PendingRow<Row>, reason: string, message: string): void {
    this.refusals.delete(pending);
    const { row, insertId } = pending;
    this.failed.push({ row, insertId, reason, message });
  }

  /** A row that the table accepted since the first refusal; undefined when none was, or when refused rows are not returned. */
  private get control(): string | undefined {
    const { evidence, returnsRefusedRows } = this.delivery;
    return returnsRefusedRows ? evidence.rowAcceptedAfter(this.firstRefusedAt) : undefined;
  }

  /**
   * Sends the control to find out whether the table still accepts rows.
   * @returns false when it does not, so the other rows need not be sent; true also when no control is needed
   */
  private async isControlAccepted(): Promise<boolean> {
    const { evidence } = this.delivery;
    const unnamed = [...this.refusals.values()].filter((refusal) => !refusal.named);
    const seenAt = unnamed.reduce((latest, refusal) => Math.max(latest, refusal.seenAt), 0);
    const { control } = this;
    if (unnamed.length === 0 || control === undefined || evidence.lastAcceptedAt > seenAt) return true;
    const { attempt, startedAt } = await this.attempt([control]);
    if (!attempt.ok || attempt.rowErrors.length > 0) return false;
    evidence.accept(startedAt, control);
    return true;
  }

  private async attempt(texts: readonly string[]): Promise<Sent> {
    const { signal, evidence } = this.delivery;
    signal.throwIfAborted();
    // Valid rows need not wait for invalid ones. Not in the first attempt: servers would then check every row separately.
    const skipInvalidRows = this.attempts > 0;
    this.attempts++;
    const acceptedBefore = evidence.lastAcceptedAt;
    const startedAt = evidence.tick();
    try {
      const rowErrors = await unlessAborted(this.delivery.insert(texts, skipInvalidRows), signal);
      return { attempt: { ok: true, rowErrors }, startedAt, acceptedBefore };
    } catch (cause) {
      signal.throwIfAborted();
      const error = cause as Error;
      this.lastError = new Error(`${failureReason(error)}: ${withoutRowValues(error.message, texts)}`, { cause });
      return { attempt: { ok: false, error }, startedAt, acceptedBefore };
    } finally {
      if (performance.now() >= this.delivery.deadline) this.roundEnded = true;
    }
  }

  private async wait(rows: number, failures: number): Promise<void> {
    const { table, backoff, signal, deadline } = this.delivery;
    const left = deadline - performance.now();
    if (left <= 0) throw new RowsNotWrittenError(table, rows, this.attempts, this.lastError);
    // The last attempt starts at the deadline.
    const delayMs = Math.ceil(Math.min(backoffMs(failures, backoff), left));
    this.delivery.onRetry?.({ table, rows, attempt: this.attempts, delayMs, error: this.lastError.message });
    await sleep(delayMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Sort order of errors: an error of the row itself is more informative than that another row stopped it. */
function weight({ reason }: RowError): number {
  return TRANSIENT_ROW_REASONS.has(reason) ? 1 : 0;
}

function halves<Row>(rows: readonly PendingRow<Row>[]): Part<Row>[] {
  const middle = Math.ceil(rows.length / 2);
  return [rows.slice(0, middle), rows.slice(middle)].map((half) => ({ rows: half, suspects: 0 }));
}

/** The result of a promise. Rejects with the signal's reason when it is aborted first. */
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
