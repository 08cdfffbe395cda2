import type { AnalyticsEvent } from "@eventlogger/events/event";
import { groupBy } from "./bruteForce";
import { localDates } from "./localDates";

/**
 * The breakdowns straight from their definitions in docs/numbers.md, by sorting and counting all events. Simple enough to be obviously
 * correct, and independent of the code that it checks.
 */

/** An anonymous id that was seen with more users counts for none of them, and is no person either. */
const SHARED_BY_MORE_THAN = 50;
const HOUR_MS = 3_600_000;

export interface BreakdownDefinitions {
  /** Such as `country` or `properties.plan`. */
  readonly dimensions: readonly string[];
  /** Session gap; ms. @default 30 minutes */
  readonly gapMs?: number;
  /** IANA name of the zone whose days count. @default "UTC" */
  readonly timeZone?: string;
  /** Whether sessions, persons and events of bots count. @default false */
  readonly countBots?: boolean;
}

export interface DayValue {
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly dimension: string;
  readonly value: string;
  readonly events: number;
  readonly persons: number;
  readonly sessions: number;
  readonly rank: number;
  readonly persons_below: number;
  readonly sessions_below: number;
}

export interface HourValue {
  readonly date: string;
  /** Start of the hour, epoch ms. */
  readonly hour: number;
  readonly dimension: string;
  readonly value: string;
  readonly events: number;
  readonly persons: number;
  readonly sessions: number;
}

export interface Breakdowns {
  /** Sorted by date, dimension and rank. */
  readonly days: readonly DayValue[];
  /** Sorted by hour, dimension and value. */
  readonly hours: readonly HourValue[];
}

/** One row of the table of events, with all that the definitions tell about it. */
interface Row {
  readonly date: string;
  readonly hour: number;
  readonly event: AnalyticsEvent;
  /** Whether it decides about the values of its event. */
  readonly isFirst: boolean;
  readonly session: string;
  readonly persons: readonly string[];
}

/** The order of BigQuery: by code points. */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function valueOf(event: AnalyticsEvent, dimension: string): string {
  if (dimension === "(all)") return dimension;
  const [first, property] = dimension.split(/\.(.*)/);
  const value = first === "properties" ? event.properties?.[property ?? ""] : event[dimension as keyof AnalyticsEvent];
  if (value === undefined || value === null) return "(none)";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return Array.from(text).slice(0, 256).join("");
}

/** The first moment of a date: the earliest one of which Intl gives this date or a later one, found by halving. */
function startOfDate(date: string, dateAt: (ms: number) => string): number {
  let [before, after] = [Date.parse(date) - 2 * 86_400_000, Date.parse(date) + 2 * 86_400_000];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (dateAt(middle) < date) before = middle;
    else after = middle;
  }
  return after;
}

/** For each event, its session: a name that no other session has. */
function sessionsOf(
  events: readonly AnalyticsEvent[],
  dateAt: (ms: number) => string,
  gapMs: number,
): Map<AnalyticsEvent, string> {
  const names = new Map<AnalyticsEvent, string>();
  const keyOf = (event: AnalyticsEvent): string =>
    JSON.stringify([event.session_id, dateAt(event.event_time), event.is_bot]);
  for (const [key, ofKey] of groupBy(events, keyOf)) {
    let previous = -Infinity;
    let name = "";
    for (const event of [...ofKey].sort((a, b) => a.event_time - b.event_time)) {
      if (event.event_time - previous >= gapMs) name = `${key} from ${event.event_time}`;
      names.set(event, name);
      previous = event.event_time;
    }
  }
  return names;
}

function personsOf(events: readonly AnalyticsEvent[]): (event: AnalyticsEvent) => string[] {
  const users = new Map<string, Set<string>>();
  for (const { anonymous_id, user_id } of events) {
    if (anonymous_id === null || user_id === null) continue;
    users.set(anonymous_id, (users.get(anonymous_id) ?? new Set<string>()).add(user_id));
  }
  return ({ anonymous_id, user_id }) => {
    const persons = new Set(user_id === null ? [] : [`user ${user_id}`]);
    const linked = users.get(anonymous_id ?? "");
    if (anonymous_id !== null && linked === undefined) persons.add(`anonymous ${anonymous_id}`);
    if (linked && linked.size <= SHARED_BY_MORE_THAN) for (const user of linked) persons.add(`user ${user}`);
    return [...persons];
  };
}

const countOf = (rows: readonly Row[], thing: (row: Row) => readonly string[]): number =>
  new Set(rows.flatMap(thing)).size;
const sessionOf = (row: Row): string[] => [row.session];
const personsIn = (row: Row): readonly string[] => row.persons;

/** The rows by value. The numbers of all events count every row, those of a dimension only the row that decides. */
function byValue(rows: readonly Row[], dimension: string): [string, Row[]][] {
  const counting = rows.filter(({ isFirst }) => isFirst || dimension === "(all)");
  const values = [...groupBy(counting, ({ event }) => valueOf(event, dimension))];
  return dimension === "(all)" && values.length === 0 ? [["(all)", []]] : values;
}

/**
 * @param events rows of the table of events: all accepted events, as often as they were delivered
 * @returns a day or hour of which only uncounted bots are known has a row of zeros for `(all)`
 */
export function bruteForceBreakdowns(
  events: readonly AnalyticsEvent[],
  { dimensions, gapMs = 30 * 60_000, timeZone = "UTC", countBots = false }: BreakdownDefinitions,
): Breakdowns {
  const dateAt = localDates(timeZone);
  const sessions = sessionsOf(events, dateAt, gapMs);
  const personsBy = personsOf(events);
  // Deliveries of one event can be the same object.
  const deliveries = events.map((event, i) => ({ event, i }));
  const firsts = new Set(
    [...groupBy(deliveries, ({ event }) => JSON.stringify([dateAt(event.event_time), event.event_id])).values()].map(
      (same) =>
        [...same].sort(
          ({ event: a }, { event: b }) =>
            a.received_at - b.received_at || a.event_time - b.event_time || compareText(a.session_id, b.session_id),
        )[0]?.i,
    ),
  );
  const starts = new Map<string, number>();
  const rows = deliveries.map(({ event, i }): Row => {
    const date = dateAt(event.event_time);
    const start = starts.get(date) ?? startOfDate(date, dateAt);
    starts.set(date, start);
    const hour = start + Math.floor((event.event_time - start) / HOUR_MS) * HOUR_MS;
    const session = sessions.get(event) ?? "";
    return { date, hour, event, isFirst: firsts.has(i), session, persons: personsBy(event) };
  });
  const isCounted = ({ event }: Row): boolean => countBots || !event.is_bot;
  const all = ["(all)", ...dimensions].sort(compareText);
  const days = [...groupBy(rows, ({ date }) => date)]
    .sort(([a], [b]) => compareText(a, b))
    .flatMap(([date, ofDay]) =>
      all.flatMap((dimension) => {
        const values = byValue(ofDay.filter(isCounted), dimension).map(([value, ofValue]) => ({
          value,
          ofValue,
          events: ofValue.filter(({ isFirst }) => isFirst).length,
        }));
        values.sort((a, b) => b.events - a.events || compareText(a.value, b.value));
        return values.map(({ value, ofValue, events: count }, i): DayValue => {
          const below = values.slice(i + 1).flatMap((lower) => lower.ofValue);
          return {
            ...{ date, dimension, value, events: count },
            ...{ persons: countOf(ofValue, personsIn), sessions: countOf(ofValue, sessionOf), rank: i + 1 },
            ...{ persons_below: countOf(below, personsIn), sessions_below: countOf(below, sessionOf) },
          };
        });
      }),
    );
  const hours = [...groupBy(rows, ({ date, hour }) => `${date} ${hour}`).values()].flatMap((ofHour) =>
    all.flatMap((dimension) =>
      byValue(ofHour.filter(isCounted), dimension).map(([value, ofValue]): HourValue => {
        const [{ date, hour } = { date: "", hour: 0 }] = ofHour;
        return {
          ...{ date, hour, dimension, value, events: ofValue.filter(({ isFirst }) => isFirst).length },
          ...{ persons: countOf(ofValue, personsIn), sessions: countOf(ofValue, sessionOf) },
        };
      }),
    ),
  );
  hours.sort(
    (a, b) =>
      a.hour - b.hour ||
      compareText(a.date, b.date) ||
      compareText(a.dimension, b.dimension) ||
      compareText(a.value, b.value),
  );
  return { days, hours };
}
