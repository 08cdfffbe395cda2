import type { BigQuery } from "@google-cloud/bigquery";
import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "@eventlogger/process/backoff";
import { UserError } from "@eventlogger/process/main";
import { withTimeout } from "@eventlogger/process/wait";
import {
  changeGenerations,
  generationsReference,
  readGeneration,
  type Generation,
  type LeaseHolder,
} from "./generations";

/** Another run holds the lease of the dataset. Stop that run, or wait until its lease has expired. */
export class LeaseHeldError extends Error {
  constructor(
    dataset: string,
    generation: number,
    readonly holder: LeaseHolder,
  ) {
    super(
      `${leased(dataset, generation)} is in use by another run: ${describe(holder)}. Two runs would overwrite each other's numbers. ` +
        `Stop that run. If it no longer exists, start again when its lease has expired, in ` +
        `${Math.max(1, Math.ceil(holder.leftMs / 1000))} s, or with its --state-dir, which takes the lease over at once`,
    );
    this.name = "LeaseHeldError";
  }
}

/** Another run has taken the lease, or somebody has released it by hand. This run must stop. */
export class LeaseLostError extends Error {
  constructor(dataset: string, generation: number, holder: LeaseHolder | null) {
    super(
      `This run has lost the lease of generation ${generation} of dataset ${dataset}: ` +
        (holder ? `it belongs to ${describe(holder)}` : "the lease was released by hand, or the table was recreated") +
        ". Messages that it has not acknowledged are redelivered",
    );
    this.name = "LeaseLostError";
  }
}

/** The generation does not exist, or is retired, so that nothing computes it any more. Run the active one. */
export class GenerationUnavailableError extends UserError {
  constructor(dataset: string, generation: number, reason: string) {
    super(`${leased(dataset, generation)} ${reason}. \`eventlogger generations\` lists the generations`);
    this.name = "GenerationUnavailableError";
  }
}

const leased = (dataset: string, generation: number): string => `Generation ${generation} of dataset ${dataset}`;

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
  readonly generation: number;
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
  /**
   * The time until which the numbers contain all events that were published; epoch ms. Undefined: not known. It is written with each
   * extension. @default never known
   */
  readonly watermark?: () => number | undefined;
}

/** Time limit of one statement; ms. */
const STATEMENT_TIMEOUT_MS = 30_000;
/** Attempts to take the lease when its holder releases it at the same time. */
const TAKE_ATTEMPTS = 5;
/** Time limit of the release at the end of a run; ms. */
const RELEASE_TIMEOUT_MS = 5000;

/**
 * The right of one run to write the numbers of a generation, in its row of the table `generations`.
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
  private reportRetirement!: () => void;
  /** Rejects with LeaseLostError when this run no longer has the lease; otherwise stays pending. */
  readonly lost: Promise<never>;
  /**
   * Resolves when an extension finds that the generation is retired; otherwise stays pending. The lease is then no longer extended,
   * and the run must stop within its duration.
   */
  readonly retired: Promise<void>;

  private constructor(
    private readonly request: LeaseRequest,
    private readonly times: LeaseTimes,
  ) {
    this.lost = new Promise<never>((_, reject) => (this.reportLoss = reject));
    this.lost.catch(() => {}); // reported to callers that await it
    this.retired = new Promise<void>((resolve) => (this.reportRetirement = resolve));
  }

  /**
   * Takes the lease and extends it from then on.
   * @throws LeaseHeldError when another run has it; GenerationUnavailableError; Error that names the missing permission, or the
   *   client's error
   */
  static async take(request: LeaseRequest): Promise<RunLease> {
    const lease = new RunLease(request, request.times ?? LEASE_TIMES);
    const { run, holder, ended, dataset, generation } = request;
    const own = ["@run", ...ended.map((_, i) => `@ended${i}`)].map((id) => `lease_run = ${id}`).join(" OR ");
    const params = { run, holder, ...Object.fromEntries(ended.map((id, i) => [`ended${i}`, id])) };
    for (let attempt = 1; ; attempt++) {
      const taken = await lease.update(
        `lease_run = @run, lease_holder = @holder, lease_taken_at = CURRENT_TIMESTAMP(), ${lease.expiry}`,
        `status IN ('building', 'active')
         AND (lease_run IS NULL OR lease_expires_at IS NULL OR lease_expires_at <= CURRENT_TIMESTAMP() OR ${own})`,
        params,
      );
      if (taken) break;
      const found = await lease.generation();
      if (!found) throw new GenerationUnavailableError(dataset, generation, "does not exist");
      if (found.status === "retired") {
        throw new GenerationUnavailableError(dataset, generation, `was retired at ${found.retiredAt}`);
      }
      if (found.lease) throw new LeaseHeldError(dataset, generation, found.lease);
      // Its holder has released it in this moment.
      if (attempt >= TAKE_ATTEMPTS) throw new Error(`The lease of ${leased(dataset, generation)} cannot be taken`);
      await sleep(backoffMs(attempt, { initialMs: 500, maxMs: 5000 }));
    }
    lease.schedule(lease.times.renewMs);
    return lease;
  }

  /** Extends the lease now: {@link retired} and {@link lost} then report at once. Never throws. */
  async check(): Promise<void> {
    if (this.ended.signal.aborted) return;
    clearTimeout(this.timer);
    await (this.busy = this.busy.then(() => this.renew()));
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
    clearTimeout(this.timer); // of an extension that was in progress when another one was asked for
    // The lease alone keeps no process alive.
    this.timer = setTimeout(() => void (this.busy = this.renew()), ms).unref();
  }

  private async renew(): Promise<void> {
    const { dataset, generation, run, onTrouble } = this.request;
    try {
      const { assignments, params } = this.extension();
      const condition = "status IN ('building', 'active') AND lease_run = @run";
      if (!(await this.update(assignments, condition, { ...params, run }))) {
        const found = await this.generation();
        if (found?.status === "retired" && found.lease?.run === run) this.reportRetirement();
        else this.reportLoss(new LeaseLostError(dataset, generation, found?.lease ?? null));
        return;
      }
      if (this.inTrouble) onTrouble(undefined);
      this.inTrouble = false;
      this.schedule(this.times.renewMs);
    } catch (error) {
      if (!this.inTrouble) onTrouble(error as Error);
      this.inTrouble = true;
      this.schedule(this.times.retryMs);
    }
  }

  private get expiry(): string {
    return `lease_expires_at = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL ${this.times.durationMs} MILLISECOND)`;
  }

  /** What an extension writes. A watermark that is not known now stays as it was, which is still true. */
  private extension(): { readonly assignments: string; readonly params: Readonly<Record<string, number>> } {
    const watermark = this.request.watermark?.();
    if (watermark === undefined) return { assignments: this.expiry, params: {} };
    return {
      assignments: `${this.expiry}, watermark = TIMESTAMP_MILLIS(@watermark)`,
      params: { watermark: Math.floor(watermark) },
    };
  }

  /** Changes the lease. @returns whether the condition was true */
  private async update(
    assignments: string,
    condition: string,
    params: Readonly<Record<string, string | number>>,
  ): Promise<boolean> {
    const { bigquery, dataset, generation } = this.request;
    const table = generationsReference(bigquery, dataset);
    const sql = `UPDATE ${table} SET ${assignments} WHERE generation = @generation AND ${condition}`;
    const change = changeGenerations(bigquery, dataset, sql, { ...params, generation });
    return (await withTimeout(change, STATEMENT_TIMEOUT_MS, "changing the lease")) > 0;
  }

  private generation(): Promise<Generation | undefined> {
    const { bigquery, dataset, generation } = this.request;
    return withTimeout(readGeneration(bigquery, dataset, generation), STATEMENT_TIMEOUT_MS, "reading the lease");
  }
}
