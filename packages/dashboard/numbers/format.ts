import { dayStart, dayToIso } from "@eventlogger/events/day";
import { dayIn, zoneOf } from "../view/today";
import type { Preferences } from "../view/preferences";
import type { METRICS } from "./metrics";

const NONE = "–";

/** Writes numbers, dates and times as the reader wants them. */
export class Formats {
  private readonly numbers: Intl.NumberFormat;
  private readonly means: Intl.NumberFormat;
  private readonly compact: Intl.NumberFormat;
  private readonly percents: Intl.NumberFormat;

  /** @param locale BCP 47; the browser's by default */
  constructor(
    private readonly dates: Preferences["dates"],
    private readonly locale?: string,
  ) {
    this.numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
    this.means = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
    this.compact = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });
    this.percents = new Intl.NumberFormat(locale, {
      style: "percent",
      minimumFractionDigits: 1,
      maximumFractionDigits: 1,
    });
  }

  count(n: number | null): string {
    return n === null ? NONE : this.numbers.format(n);
  }

  /** A mean: with one decimal below 100. */
  mean(n: number | null): string {
    return n === null ? NONE : (Math.abs(n) < 100 ? this.means : this.numbers).format(n);
  }

  /** For axes, such as 1.2K. */
  short(n: number): string {
    return Math.abs(n) < 10_000 ? this.means.format(n) : this.compact.format(n);
  }

  /** A share of 0 to 1, or more. */
  percent(ratio: number): string {
    return this.percents.format(ratio);
  }

  /** A relative change, with its sign: +25%. */
  change(ratio: number): string {
    const text =
      Math.abs(ratio) >= 10 ? `${this.numbers.format(Math.abs(ratio) * 100)}%` : this.percents.format(Math.abs(ratio));
    return `${ratio < 0 ? "−" : "+"}${text}`;
  }

  /** Such as 45s, 3m 20s or 1h 05m. */
  seconds(sec: number | null): string {
    if (sec === null) return NONE;
    const whole = Math.round(sec);
    const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    if (hours > 0) return `${hours}h ${String(minutes).padStart(2, "0")}m`;
    return minutes > 0 ? `${minutes}m ${String(seconds).padStart(2, "0")}s` : `${seconds}s`;
  }

  value(kind: (typeof METRICS)[keyof typeof METRICS]["format"], n: number | null): string {
    return kind === "seconds" ? this.seconds(n) : this.mean(n);
  }

  /** An epoch day: 2026-05-17, or as the language writes dates. */
  day(day: number): string {
    return this.dates === "iso" ? dayToIso(day) : this.local(day, { day: "numeric", month: "short", year: "numeric" });
  }

  /** The same with its day of the week. */
  dayOfWeek(day: number): string {
    const weekday = this.local(day, { weekday: "short" });
    return `${weekday} ${this.day(day)}`;
  }

  /** For axes: without the year. */
  dayOfYear(day: number): string {
    return this.dates === "iso" ? dayToIso(day).slice(5) : this.local(day, { day: "numeric", month: "short" });
  }

  /** For axes: without the day. */
  month(day: number): string {
    return this.dates === "iso" ? dayToIso(day).slice(0, 7) : this.local(day, { month: "short", year: "numeric" });
  }

  /** The time of day of a moment in a time zone: 09:05:00. */
  time(iso: string, timeZone: string): string {
    const options = { timeZone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
    return new Intl.DateTimeFormat("en-GB", options).format(new Date(iso));
  }

  /** The same with its date, when that is not the date of another moment. */
  moment(iso: string, timeZone: string, now: string): string {
    const zone = zoneOf(timeZone);
    const day = dayIn(zone, iso);
    return day === dayIn(zone, now) ? this.time(iso, timeZone) : `${this.day(day)} ${this.time(iso, timeZone)}`;
  }

  private local(day: number, options: Intl.DateTimeFormatOptions): string {
    return new Intl.DateTimeFormat(this.locale, { ...options, timeZone: "UTC" }).format(new Date(dayStart(day)));
  }
}
