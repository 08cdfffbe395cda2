import type { Generation } from "@eventlogger/gcp/bigquery/generations";
import { isGone, RebuildLostError, RebuildRunningError, thisProcess, type Owner } from "./owner";
import { recordOf, type RebuildRecord } from "./record";
import type { GenerationStore, RebuildTimes } from "./services";

/**
 * The right of this process to run a rebuild, and its record. Each change is one statement that succeeds only if nobody else has changed
 * the record: of two processes one gets the rebuild, and a process that has lost it can change nothing.
 */
export class RebuildSession {
  private timer: NodeJS.Timeout | undefined;
  private busy: Promise<unknown> = Promise.resolve();
  private readonly loss = new AbortController();
  private isOver = false;

  private constructor(
    private readonly store: GenerationStore,
    private readonly times: Pick<RebuildTimes, "leaseMs" | "renewMs">,
    private readonly clock: ServerClock,
    private current: RebuildRecord,
    private row: Generation,
  ) {}

  /** Aborted when another process has taken the rebuild over. Its reason is a RebuildLostError. */
  get lost(): AbortSignal {
    return this.loss.signal;
  }

  get record(): RebuildRecord {
    return this.current;
  }

  /** The row of the generation when it was last read. */
  get generation(): Generation {
    return this.row;
  }

  /** A record that belongs to this process, for the first row of a rebuild. */
  static async firstRecord(
    store: GenerationStore,
    times: Pick<RebuildTimes, "leaseMs">,
    wanted: Pick<RebuildRecord, "previous" | "keepOld" | "takeOver" | "from">,
  ): Promise<RebuildRecord> {
    const clock = await ServerClock.read(store);
    return {
      ...{ format: 1, phase: "creating", ...wanted, cutOff: null, rowsComplete: false, replayed: {}, replayedAt: null },
      owner: thisProcess(clock.in(times.leaseMs)),
    };
  }

  /**
   * Takes a rebuild over, unless another process runs it.
   * @param created the record with which this process has just created the generation; undefined for one that exists
   * @throws RebuildRunningError
   */
  static async open(
    store: GenerationStore,
    times: Pick<RebuildTimes, "leaseMs" | "renewMs">,
    generation: Generation,
    created?: RebuildRecord,
  ): Promise<RebuildSession> {
    const clock = await ServerClock.read(store);
    const found = recordOf(generation);
    if (!found) throw new Error(`Generation ${generation.generation} has no rebuild`);
    const isOwn = created !== undefined && found.owner?.id === created.owner?.id;
    if (found.owner && !isOwn && !isGone(found.owner, clock.now())) {
      throw new RebuildRunningError(generation.generation, found.owner);
    }
    const session = new RebuildSession(store, times, clock, found, generation);
    await session.write({ owner: thisProcess(clock.in(times.leaseMs)) });
    if (session.lost.aborted) throw session.lost.reason;
    session.schedule();
    return session;
  }

  /**
   * Records changes. When it resolves, they are stored.
   * @throws RebuildLostError; Error of the BigQuery client
   */
  async update(changes: Partial<Omit<RebuildRecord, "format" | "owner">>): Promise<void> {
    await this.write(changes);
  }

  /** Reads the row of the generation again. */
  async reload(): Promise<Generation> {
    const row = (await this.store.list()).find(({ generation }) => generation === this.row.generation);
    if (!row) throw new RebuildLostError(this.row.generation);
    return (this.row = row);
  }

  /** Ends the rebuild: its generation has no record any more. */
  async finish(): Promise<void> {
    await this.write(null);
  }

  /** Releases the rebuild, so that another process can go on at once. Never throws. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    if (!this.isOver && !this.lost.aborted) await this.write({ owner: null }).catch(() => {});
    this.isOver = true;
  }

  private schedule(): void {
    if (this.isOver) return;
    this.timer = setTimeout(() => {
      // A renewal that fails is tried again, until the record is changed or the lease is taken.
      void this.write({})
        .catch(() => {})
        .finally(() => this.schedule());
    }, this.times.renewMs).unref();
  }

  /** Writes one after the other: each one replaces the record of the one before. */
  private write(changes: Partial<RebuildRecord> | null): Promise<void> {
    const next = this.busy.then(() => this.replace(changes));
    this.busy = next.catch(() => {});
    return next;
  }

  private async replace(changes: Partial<RebuildRecord> | null): Promise<void> {
    this.loss.signal.throwIfAborted();
    if (this.isOver) return;
    const before = this.current;
    const owner = before.owner && { ...before.owner, expiresAt: this.clock.in(this.times.leaseMs) };
    const after = changes && { ...before, owner, ...changes };
    if (await this.replaced(before, after)) {
      if (after) this.current = after;
      else this.isOver = true;
      return;
    }
    const error = new RebuildLostError(this.row.generation);
    this.loss.abort(error);
    throw error;
  }

  /** Whether the record is `after` now. A statement whose answer was lost may have succeeded: the row tells. */
  private async replaced(before: RebuildRecord, after: RebuildRecord | null): Promise<boolean> {
    if (await this.store.replace(this.row.generation, before, after)) return true;
    const row = (await this.store.list()).find(({ generation }) => generation === this.row.generation);
    return row !== undefined && JSON.stringify(row.rebuild ?? null) === JSON.stringify(after);
  }
}

/** BigQuery's clock, followed by the monotonic clock of this process. */
class ServerClock {
  private constructor(private readonly offsetMs: number) {}

  static async read(store: GenerationStore): Promise<ServerClock> {
    const before = performance.now();
    return new ServerClock((await store.now()) - before);
  }

  now(): number {
    return this.offsetMs + performance.now();
  }

  /** The time in `ms`, ISO 8601. */
  in(ms: number): string {
    return new Date(this.now() + ms).toISOString();
  }
}

export type { Owner };
