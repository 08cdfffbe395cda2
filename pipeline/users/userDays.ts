import "@eventlogger/beam/sdk";
import type { KV } from "apache-beam/values";
import { count, type BundleDoFn, type Emit, type EmitTimestamped } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { UTC_NAME } from "@eventlogger/events/zone/zoneName";
import type { ParsedEvent } from "../parse/parsedEvent";
import { IdHash, userKey } from "../shards";
import { CountedDays } from "./countedDays";
import { encodeDays } from "./encoding";

/** Users that are collected before they are emitted; limits the memory of a large bundle. */
const MAX_USERS = 50_000;

type Output = KV<string, Uint8Array>;

/** Collects the distinct (user, day) pairs of a bundle, keyed by user. */
export class CollectUserDays implements BundleDoFn<ParsedEvent, Output> {
  private hash: IdHash | undefined;
  private zone: TimeZone | undefined;
  private counted: CountedDays | undefined;
  /** Days by user; most users have one. */
  private users = new Map<string, number | number[]>();
  private isFinished = false;

  /**
   * @param shardHashSecret see `IdHash`
   * @param skipsCounted whether pairs that earlier bundles of this instance have emitted are left out; see {@link CountedDays}
   *   for the runners that allow it
   * @param timeZone IANA name of the zone whose days count
   */
  constructor(
    private readonly shardHashSecret: string | undefined,
    private readonly skipsCounted: boolean,
    private readonly timeZone = UTC_NAME,
  ) {}

  startBundle(): void {
    this.hash ??= new IdHash(this.shardHashSecret);
    this.zone ??= TimeZone.of(this.timeZone);
    this.users = new Map();
    if (!this.skipsCounted) return;
    // An instance processes another bundle only after the last one has succeeded.
    this.counted ??= new CountedDays();
    if (this.isFinished) this.counted.bundleSucceeded();
    else this.counted.bundleFailed();
    this.isFinished = false;
  }

  process({ event }: ParsedEvent, emit: Emit<Output>): void {
    const { user_id: userId } = event;
    if (userId === null || !this.zone) return;
    const day = this.zone.dayOf(event.event_time);
    const days = this.users.get(userId);
    if (days === day) return;
    if (days === undefined) this.users.set(userId, day);
    else if (typeof days === "number") this.users.set(userId, [days, day]);
    else if (!days.includes(day)) days.push(day);
    if (this.users.size >= MAX_USERS) this.flush(emit);
  }

  finishBundle(emit: EmitTimestamped<Output>): void {
    const now = Date.now();
    this.flush((kv) => emit(kv, now));
    this.isFinished = true;
  }

  bundleFailed(): void {
    this.isFinished = false;
    this.counted?.bundleFailed();
  }

  private flush(emit: (kv: Output) => void): void {
    const { hash, counted, users } = this;
    this.users = new Map();
    if (!hash) return;
    let skipped = 0;
    for (const [userId, days] of users) {
      hash.update(userId);
      const all = typeof days === "number" ? [days] : days;
      const added = counted ? all.filter((day) => !counted.has(hash, day)) : all;
      skipped += all.length - added.length;
      if (added.length === 0) continue;
      if (counted) for (const day of added) counted.emit(hash, day);
      emit({ key: userKey(hash), value: encodeDays(added) });
    }
    if (skipped) count("userDays.skipped", skipped);
  }
}

registerModule(module);
