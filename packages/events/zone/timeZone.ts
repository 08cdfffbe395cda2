import { DAY_MS } from "../day";
import { ZoneOffsets, type OffsetSpan } from "./offsets";
import { timeZoneProblem, UTC_NAME } from "./zoneName";

/** A name is not that of a time zone. Use an IANA name. */
export class UnknownTimeZoneError extends Error {
  constructor(name: string, problem: string) {
    super(`The time zone ${JSON.stringify(name)} ${problem}`);
    this.name = "UnknownTimeZoneError";
  }
}

/** No offset is larger. Those of today are from -12 h to +14 h; the Philippines had -15:56 and Alaska +15:02 in the 19th century. */
const MAX_OFFSET_MS = 16 * 3_600_000;

const ALWAYS_UTC: OffsetSpan = { from: -Infinity, to: Infinity, offsetMs: 0 };
/** Contains no moment. */
const NO_SPAN: OffsetSpan = { from: Infinity, to: -Infinity, offsetMs: NaN };

/**
 * Calendar days of a time zone, as epoch days: the number of days from 1970-01-01 to the local date. A local day can have 23, 24, 24.5 or
 * 25 hours, and a date that the zone skipped has none.
 *
 * The rules are those of the JavaScript engine (`process.versions.tz`). They are read once and kept as a table, so that
 * {@link dayOf} costs a few nanoseconds.
 */
export class TimeZone {
  private static readonly zones = new Map<string, TimeZone>();
  static readonly UTC = TimeZone.of(UTC_NAME);

  /** The span of the last time. Most events of a moment are in one span. */
  private last: OffsetSpan;

  private constructor(
    /** The IANA name as it was given, such as `Europe/Berlin`. */
    readonly name: string,
    private readonly offsets: ZoneOffsets | undefined,
  ) {
    this.last = offsets ? NO_SPAN : ALWAYS_UTC;
  }

  /**
   * The zone of an IANA name.
   * @param name `Region/City` in its own case, such as `Europe/Berlin`, or `UTC`
   * @throws UnknownTimeZoneError for any other name, and for a zone that is newer than the data of this Node.js
   */
  static of(name: string): TimeZone {
    const known = TimeZone.zones.get(name);
    if (known) return known;
    const problem = timeZoneProblem(name);
    if (problem !== undefined) throw new UnknownTimeZoneError(name, problem);
    // Other names of UTC, such as Etc/UTC, are zones like any other: which names are the same depends on the engine.
    const zone = new TimeZone(name, name === UTC_NAME ? undefined : new ZoneOffsets(name));
    TimeZone.zones.set(name, zone);
    return zone;
  }

  /** The epoch day of the local date at a moment in epoch ms. */
  dayOf(epochMs: number): number {
    return Math.floor((epochMs + this.offsetAt(epochMs)) / DAY_MS);
  }

  /** Local time minus UTC at a moment in epoch ms; ms. */
  offsetAt(epochMs: number): number {
    const { last } = this;
    if (epochMs >= last.from && epochMs < last.to) return last.offsetMs;
    if (!this.offsets || Number.isNaN(epochMs)) return last.offsetMs;
    return (this.last = this.offsets.spanAt(epochMs)).offsetMs;
  }

  /** The local time of a moment with its offset, to the second: `2026-05-17T09:00:00+02:00`. @param epochMs epoch ms */
  toIso(epochMs: number): string {
    const offsetMs = this.offsetAt(epochMs);
    const minutes = Math.round(Math.abs(offsetMs) / 60_000);
    const [hour, minute] = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, "0"));
    const local = new Date(epochMs + offsetMs).toISOString().slice(0, -5);
    return `${local}${offsetMs < 0 ? "-" : "+"}${hour}:${minute}`;
  }

  /**
   * The first moment of a local day, epoch ms: the first one whose local date is this day or, when the zone skipped this day, a later
   * one.
   * @param day epoch day
   */
  startOfDay(day: number): number {
    const midnight = day * DAY_MS;
    for (const { from, to, offsetMs } of this.spansAround(midnight)) {
      if (to + offsetMs > midnight) return Math.max(from, midnight - offsetMs);
    }
    throw new RangeError(`${day} is not an epoch day`);
  }

  /**
   * How much time has this local date, ms; 0 for a day that the zone skipped. Where clocks were set back just after midnight (St
   * John's until 2011), a few minutes of the next day lie between two parts of the day; they do not count.
   * @param day epoch day
   */
  lengthOfDay(day: number): number {
    const midnight = day * DAY_MS;
    let length = 0;
    for (const { from, to, offsetMs } of this.spansAround(midnight)) {
      const first = Math.max(from, midnight - offsetMs);
      const end = Math.min(to, midnight + DAY_MS - offsetMs);
      length += Math.max(0, end - first);
    }
    return length;
  }

  /** All spans that can contain moments of a local day, in order. @param midnight its start, were it a UTC day; epoch ms */
  private *spansAround(midnight: number): Iterable<OffsetSpan> {
    const end = midnight + DAY_MS + MAX_OFFSET_MS;
    for (let at = midnight - MAX_OFFSET_MS; at <= end;) {
      const span = this.offsets?.spanAt(at) ?? ALWAYS_UTC;
      yield span;
      at = span.to;
    }
  }
}
