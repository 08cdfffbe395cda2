import "@eventlogger/beam/sdk";
import type { KV } from "apache-beam/values";
import type { BundleDoFn, Emit, EmitTimestamped } from "@eventlogger/beam";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import type { Hash128 } from "@eventlogger/events/hash";
import { markDay, type MarkedDay } from "@eventlogger/events/persons/markedDay";
import { addMarkedDay, noDays } from "@eventlogger/events/persons/personDays";
import type { PersonDays } from "@eventlogger/events/persons/personDeltas";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { UTC_NAME } from "@eventlogger/events/zone/zoneName";
import type { ParsedEvent } from "../parse/parsedEvent";
import { IdHash } from "../shards";
import { CountedDays } from "../users/countedDays";

/** The key of an id, and its encoded days. */
export type KeyedDays = KV<string, Uint8Array>;

/** What is the same for all bundles of an instance. */
export interface CollectTools {
  readonly hash: IdHash;
  /** Undefined where no pair of id and day is left out. */
  readonly counted: CountedDays | undefined;
}

/** Collects the distinct days of the ids of a bundle. */
export abstract class CollectDays implements BundleDoFn<ParsedEvent, KeyedDays> {
  private zone: TimeZone | undefined;
  private tools: CollectTools | undefined;
  private isFinished = false;

  /**
   * @param shardHashSecret see `IdHash`
   * @param skipsCounted whether pairs of id and day that earlier bundles of this instance have emitted are left out; see
   *   {@link CountedDays} for the runners that allow it
   * @param timeZone IANA name of the zone whose days count
   */
  constructor(
    protected readonly shardHashSecret: string | undefined,
    private readonly skipsCounted: boolean,
    private readonly timeZone = UTC_NAME,
  ) {}

  /** Whether an event has the id. */
  protected abstract hasId(event: AnalyticsEvent): boolean;
  /** Adds the day of an event that has the id. @returns whether so much is collected that it must be flushed */
  protected abstract add(event: AnalyticsEvent, day: MarkedDay): boolean;
  /** Emits what is collected, and forgets it. */
  protected abstract flush(tools: CollectTools, emit: (kv: KeyedDays) => void): void;
  /** Forgets what is collected. */
  protected abstract forget(): void;

  startBundle(): void {
    this.zone ??= TimeZone.of(this.timeZone);
    this.tools ??= {
      hash: new IdHash(this.shardHashSecret),
      counted: this.skipsCounted ? new CountedDays() : undefined,
    };
    this.forget();
    // An instance processes another bundle only after the last one has succeeded.
    const { counted } = this.tools;
    if (this.isFinished) counted?.bundleSucceeded();
    else counted?.bundleFailed();
    this.isFinished = false;
  }

  process({ event }: ParsedEvent, emit: Emit<KeyedDays>): void {
    if (!this.hasId(event) || !this.zone || !this.tools) return;
    const day = markDay(this.zone.dayOf(event.event_time), event.is_bot);
    if (this.add(event, day)) this.flush(this.tools, emit);
  }

  finishBundle(emit: EmitTimestamped<KeyedDays>): void {
    const now = Date.now();
    if (this.tools) this.flush(this.tools, (kv) => emit(kv, now));
    this.isFinished = true;
  }

  bundleFailed(): void {
    this.isFinished = false;
    this.tools?.counted?.bundleFailed();
  }
}

/** Distinct days: most ids have one in a bundle. */
export type CollectedDays = MarkedDay | MarkedDay[];

/** Adds a day. @returns the days with it; the same list when there are several */
export function collectDay(days: CollectedDays, day: MarkedDay): CollectedDays {
  if (days === day) return days;
  if (typeof days === "number") return [days, day];
  if (!days.includes(day)) days.push(day);
  return days;
}

/** Leaves out the days that were emitted before, while a bundle is flushed. */
export class NewDays {
  /** Number of days that were left out. */
  skipped = 0;

  constructor(private readonly counted: CountedDays | undefined) {}

  /** The days of an id, whose hash is given, that are new. They are noted as emitted. Undefined without any. */
  of(hash: Hash128, collected: CollectedDays): PersonDays | undefined {
    let days: PersonDays | undefined;
    for (const day of typeof collected === "number" ? [collected] : collected) {
      if (this.isNew(hash, day)) addMarkedDay((days ??= noDays()), day);
    }
    return days;
  }

  private isNew(hash: Hash128, day: MarkedDay): boolean {
    const { counted } = this;
    if (!counted) return true;
    if (counted.has(hash, day)) {
      this.skipped++;
      return false;
    }
    counted.emit(hash, day);
    return true;
  }
}
