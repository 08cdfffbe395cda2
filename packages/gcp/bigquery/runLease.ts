import type { BigQuery } from "@google-cloud/bigquery";
import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "@eventlogger/process/backoff";
import { withTimeout } from "@eventlogger/process/wait";
import { changeGenerations, generationsReference, queryGenerations } from "./generations";

/** The run that holds a lease. */
export interface LeaseHolder {
  /** Id of the run. */
  readonly run: string;
  /** Such as `host:pid`. */
  readonly holder: string;
  /** By BigQuery's clock, ISO 8601. */
  readonly takenAt: string;
  readonly expiresAt: string;
  /** Time until the lease expires, ms; negative when it has expired. */
  readonly leftMs: number;
}

/** Another run holds the lease of the dataset. Stop that run, or wait until its lease has expired. */
export class LeaseHeldError extends Error {
  constructor(
    dataset: string,
    readonly holder: LeaseHolder,
  ) {
    super(
      `Dataset ${dataset} is in use by another run: ${describe(holder)}. Two runs would overwrite each other's numbers. ` +
        `Stop that run. If it no longer exists, start again when its lease has expired, in ` +
        `${Math.max(1, Math.ceil(holder.leftMs / 1000))} s, or with its --state-dir, which takes the lease over at once`,
    );
    this.name = "LeaseHeldError";
  }
}

/** Another run has taken the lease, or somebody has released it by hand. This run must stop. */
export class LeaseLostError extends Error {
  constructor(dataset: string, holder: LeaseHolder | undefined) {
    super(
      `This run has lost the lease of dataset ${dataset}: ` +
        (holder ? `it belongs to ${describe(holder)}` : "the lease was released by hand, or the table was recreated") +
        ". Messages that it has not acknowledged are redelivered",
    );
    this.name = "LeaseLostError";
  }
}

function describe({ holder, takenAt, expiresAt }: LeaseHolder): string {
  return `${holder}, which has held the lease since ${takenAt}, until ${expiresAt} unless it extends it`;
}

export interface LeaseTimes {
  /** Time from an extension until another run may take the lease; ms. */
  readonly durationMs: number;
  /** Interval of extensions; ms. */
  readonly renewMs: number;
  /** Wait after an extension that failed; ms. */
  readonly retryMs: number;
}

/** A run that is killed keeps other runs out for up to 3 minutes. An extension has about three attempts. */
export const LEASE_TIMES: LeaseTimes = { durationMs: 180_000, renewMs: 60_000, retryMs: 10_000 };

export interface LeaseRequest {
  readonly bigquery: BigQuery;
  readonly dataset: string;
  /** Id of the run; unique. */
  readonly run: string;
  /** Such as `host:pid`; for messages. */
  readonly holder: string;
  /** Ids of runs that certainly no longer exist. Their lease is taken over at once. */
  readonly ended: readonly string[];
  /** @default LEASE_TIMES */
  readonly times?: LeaseTimes;
  /** Called when an extension fails for the first time, and with undefined when one succeeds again. */
  readonly onTrouble: (error: Error | undefined) => void;
}

/** Time limit of one statement; ms. */
const STATEMENT_TIMEOUT_MS = 30_000;
/** Attempts to take the lease when other statements change it at the same time. */
const TAKE_ATTEMPTS = 5;
/** Time limit of the release at the end of a run; ms. */
const RELEASE_TIMEOUT_MS = 5000;

/** BigQuery runs one of several statements that change a row, and fails the others after some attempts of its own. */
const isConcurrentUpdate = (error: unknown): boolean =>
  error instanceof Error && /concurrent update|could not serialize access/i.test(error.message);

/**
 * The right of one run to write the numbers of a dataset, in the table `generations`.
 *
 * One UPDATE with a condition decides who gets it. BigQuery lets only one of several concurrent UPDATE statements change
 * a row, and all times are those of its clock, so that the clocks of the hosts do not matter. The holder extends the lease
 * periodically, by a timer that does not follow the clock of the host.
 *
 * When BigQuery does not answer for longer than the lease lasts, the run goes on trying. It cannot write rows meanwhile, so
 * it acknowledges nothing. It then extends its expired lease, or finds that another run has taken it, and stops.
 */
export class RunLease {
  private timer: NodeJS.Timeout | undefined;
  private readonly ended = new AbortController();
  private busy: Promise<void> = Promise.resolve();
  private inTrouble = false;
  private reportLoss!: (error: LeaseLostError) => void;
  /** Rejects with LeaseLostError when this run no longer has the lease; otherwise stays pending. */
  readonly lost: Promise<never>;

  private constructor(
    private readonly request: LeaseRequest,
    private readonly times: LeaseTimes,
  ) {
    this.lost = new Promise<never>((_, reject) => (this.reportLoss = reject));
    this.lost.catch(() => {}); // reported to callers that await it
  }

  /**
   * Takes the lease and extends it from then on. The dataset must have an active generation.
   * @throws LeaseHeldError when another run has it; Error that names the missing permission, or the client's error
   */
  static async take(request: LeaseRequest): Promise<RunLease> {
    const lease = new RunLease(request, request.times ?? LEASE_TIMES);
    const { run, holder, ended, dataset } = request;
    const own = ["@run", ...ended.map((_, i) => `@ended${i}`)].map((id) => `lease_run = ${id}`).join(" OR ");
    const params = { run, holder, ...Object.fromEntries(ended.map((id, i) => [`ended${i}`, id])) };
    for (let attempt = 1; ; attempt++) {
      try {
        const taken = await lease.update(
          `lease_run = @run, lease_holder = @holder, lease_taken_at = CURRENT_TIMESTAMP(), ${lease.expiry}`,
          `(lease_run IS NULL OR lease_expires_at IS NULL OR lease_expires_at <= CURRENT_TIMESTAMP() OR ${own})`,
          params,
        );
        if (taken) break;
        const current = await lease.current();
        if (current) throw new LeaseHeldError(dataset, current);
        // Its holder has released it in this moment.
        if (attempt >= TAKE_ATTEMPTS) throw new Error(`The lease of dataset ${dataset} cannot be taken`);
      } catch (error) {
        if (!isConcurrentUpdate(error) || attempt >= TAKE_ATTEMPTS) throw error;
      }
      await sleep(backoffMs(attempt, { initialMs: 500, maxMs: 5000 }));
    }
    lease.schedule(lease.times.renewMs);
    return lease;
  }

  /** Stops extending the lease and releases it. An error is reported, and the lease then expires. */
  async release(onError: (error: Error) => void): Promise<void> {
    clearTimeout(this.timer);
    this.ended.abort();
    const release = this.busy.then(() =>
      this.update(
        "lease_run = NULL, lease_holder = NULL, lease_taken_at = NULL, lease_expires_at = NULL",
        "lease_run = @run",
        { run: this.request.run },
      ),
    );
    await withTimeout(release, RELEASE_TIMEOUT_MS, "releasing the lease of the dataset").catch(onError);
  }

  private schedule(ms: number): void {
    if (this.ended.signal.aborted) return;
    // The lease alone keeps no process alive.
    this.timer = setTimeout(() => void (this.busy = this.renew()), ms).unref();
  }

  private async renew(): Promise<void> {
    try {
      if (!(await this.update(this.expiry, "lease_run = @run", { run: this.request.run }))) {
        const holder = await this.current();
        this.reportLoss(new LeaseLostError(this.request.dataset, holder));
        return;
      }
      if (this.inTrouble) this.request.onTrouble(undefined);
      this.inTrouble = false;
      this.schedule(this.times.renewMs);
    } catch (error) {
      if (!this.inTrouble) this.request.onTrouble(error as Error);
      this.inTrouble = true;
      this.schedule(this.times.retryMs);
    }
  }

  private get expiry(): string {
    return `lease_expires_at = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL ${this.times.durationMs} MILLISECOND)`;
  }

  /** Changes the lease. @returns whether the condition was true */
  private async update(
    assignments: string,
    condition: string,
    params: Readonly<Record<string, string>>,
  ): Promise<boolean> {
    const { bigquery, dataset } = this.request;
    const table = generationsReference(bigquery, dataset);
    const sql = `UPDATE ${table} SET ${assignments} WHERE status = 'active' AND ${condition}`;
    const change = changeGenerations(bigquery, dataset, sql, params);
    return (await withTimeout(change, STATEMENT_TIMEOUT_MS, "changing the lease")) > 0;
  }

  /** The holder of the lease; undefined when nobody has it. */
  private async current(): Promise<LeaseHolder | undefined> {
    const { bigquery, dataset } = this.request;
    const rows = queryGenerations(
      bigquery,
      dataset,
      `SELECT lease_run, lease_holder,
         FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', lease_taken_at) AS taken_at,
         FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', lease_expires_at) AS expires_at,
         TIMESTAMP_DIFF(lease_expires_at, CURRENT_TIMESTAMP(), MILLISECOND) AS left_ms
       FROM ${generationsReference(bigquery, dataset)}
       WHERE status = 'active' AND lease_run IS NOT NULL ORDER BY created_at, settings LIMIT 1`,
    );
    const [row] = await withTimeout(rows, STATEMENT_TIMEOUT_MS, "reading the lease");
    return (
      row && {
        run: row.text("lease_run"),
        holder: row.text("lease_holder"),
        takenAt: row.text("taken_at"),
        expiresAt: row.text("expires_at"),
        leftMs: row.number("left_ms"),
      }
    );
  }
}
