import { DAY_MS } from "../day";

/** A span of time in which a zone has one offset from UTC: `[from, to)` in epoch ms. Local time is UTC plus the offset, ms. */
export interface OffsetSpan {
  readonly from: number;
  readonly to: number;
  readonly offsetMs: number;
}

/** The last moment of an ECMAScript date, epoch ms; the first one is its negative. Intl refuses times beyond. */
const LAST_DATE = 8.64e15;

/** Length of a block of {@link ZoneOffsets}: 398 days, ms. */
const BLOCK_MS = 2 ** 35;

/**
 * Interval at which a block is searched for changes, ms. Two changes within it could cancel each other and be missed. In the tz
 * database, no two changes of an offset are less than 95 hours apart (Africa/Freetown, 1939).
 */
const PROBE_MS = DAY_MS;

/** Blocks of a zone that are kept; the years 1970 to 2080 have about 100. */
const MAX_BLOCKS = 512;

const OFFSET = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/;

/**
 * Offsets of a zone from UTC, from the time zone data of the JavaScript engine. Reading one offset through Intl takes
 * microseconds, so the changes are searched once, block by block as times are asked for.
 */
export class ZoneOffsets {
  private readonly format: Intl.DateTimeFormat;
  private readonly blocks = new Map<number, readonly OffsetSpan[]>();

  /** @param timeZone a name that Intl knows @throws RangeError for another one */
  constructor(timeZone: string) {
    this.format = new Intl.DateTimeFormat("en-US", { timeZone, hour: "numeric", timeZoneName: "longOffset" });
  }

  /** The span that contains a moment. Spans end where their block ends, so that neighbours may have equal offsets. */
  spanAt(epochMs: number): OffsetSpan {
    const spans = this.block(Math.floor(epochMs / BLOCK_MS));
    let low = 0;
    for (let high = spans.length - 1; low < high;) {
      const middle = (low + high + 1) >>> 1;
      if ((spans[middle] as OffsetSpan).from <= epochMs) low = middle;
      else high = middle - 1;
    }
    return spans[low] as OffsetSpan;
  }

  private block(index: number): readonly OffsetSpan[] {
    const known = this.blocks.get(index);
    if (known) return known;
    if (this.blocks.size >= MAX_BLOCKS) this.blocks.clear();
    const spans = this.search(index * BLOCK_MS, (index + 1) * BLOCK_MS);
    this.blocks.set(index, spans);
    return spans;
  }

  private search(start: number, end: number): OffsetSpan[] {
    const spans: OffsetSpan[] = [];
    let from = start;
    let offsetMs = this.read(start);
    for (let at = start; at < end; at += PROBE_MS) {
      const next = Math.min(at + PROBE_MS, end);
      const after = this.read(next);
      if (after === offsetMs) continue;
      const to = this.changeBetween(at, next, offsetMs);
      if (to >= end) break;
      spans.push({ from, to, offsetMs });
      [from, offsetMs] = [to, after];
    }
    spans.push({ from, to: end, offsetMs });
    return spans;
  }

  /** The first moment after `before` with another offset. @param before with the offset `offsetMs` @param after with another */
  private changeBetween(before: number, after: number, offsetMs: number): number {
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.read(middle) === offsetMs) before = middle;
      else after = middle;
    }
    return after;
  }

  /** The offset at a moment, as Intl writes it: `11 PM GMT-03:30`; with seconds for local mean times. */
  private read(epochMs: number): number {
    const text = this.format.format(Math.max(-LAST_DATE, Math.min(LAST_DATE, epochMs)));
    const match = OFFSET.exec(text);
    if (!match) throw new Error(`Intl wrote an offset in a form that is not known: ${text}`);
    const [, sign, hours = "0", minutes = "0", seconds = "0"] = match;
    const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
    return sign === "-" ? -ms : ms;
  }
}
