import type { AnalyticsEvent } from "@eventlogger/events/event";
import { averageSessionDurationMin, averageSessionDurationSec } from "./averages";
import { localDates } from "./localDates";
import { addDays, countedDays, earliest, personsOf } from "./persons";

/**
 * The daily rollups straight from their definitions, by sorting and counting all events. Simple enough to be obviously
 * correct, and independent of the code it checks: own dates, own rounding, own sessions.
 */

/** One day in the answer of `GET /event/`. */
export interface DailyStat {
  /** dd/mm/yyyy */
  date: string;
  average_session_duration_min: number;
  average_session_duration_sec: number;
  /** Sum of the durations; ms. */
  session_duration_ms: number;
  active_user_count: number;
  new_user_count: number;
  session_count: number;
}

/** The body of `GET /event/`, without `as_of`. */
export interface RollupReport {
  total_users: number;
  daily_stats: DailyStat[];
}

/** The numbers of persons and bots of a day, which `GET /event/` has in addition. */
export interface PersonStat {
  weekly_active_user_count: number;
  monthly_active_user_count: number;
  anonymous_user_count: number;
  bot_user_count: number;
  bot_session_count: number;
}

/** {@link RollupReport} with all numbers. */
export interface StatisticsReport {
  total_users: number;
  daily_stats: (DailyStat & PersonStat)[];
}

/** The parts of an answer of `GET /event/` that {@link answeredNumbers} reads. */
export interface AnsweredStatistics {
  readonly total_users: number;
  readonly daily_stats: readonly (DailyStat & PersonStat & { readonly updated_at: string })[];
}

/** The numbers in an answer of `GET /event/`, without the times at which they were made. */
export function answeredNumbers({ total_users, daily_stats }: AnsweredStatistics): StatisticsReport {
  return { total_users, daily_stats: daily_stats.map(({ updated_at: _, ...numbers }) => numbers) };
}

export type CountedEvent = Pick<AnalyticsEvent, "event_id" | "session_id" | "event_time" | "user_id"> &
  Partial<Pick<AnalyticsEvent, "anonymous_id" | "is_bot">>;

/** What the numbers depend on. */
export interface Definitions {
  /** Session gap; ms. @default 30 minutes */
  readonly gapMs?: number | undefined;
  /** IANA name of the zone whose days count. @default "UTC" */
  readonly timeZone?: string | undefined;
  /** Whether sessions and days of bots count. @default false */
  readonly countBots?: boolean | undefined;
}

/** Items by a key, in the order of their first ones. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** Durations of the sessions of one session_id on one day, from its event times. */
function sessionDurations(times: readonly number[], gapMs: number): number[] {
  const sorted = [...times].sort((a, b) => a - b);
  const durations: number[] = [];
  let start = sorted[0] ?? 0;
  sorted.forEach((time, i) => {
    const next = sorted[i + 1];
    if (next === undefined || next - time >= gapMs) {
      durations.push(time - start);
      start = next ?? 0;
    }
  });
  return durations;
}

/** Durations of the sessions of events of one class, people or bots. */
function durationsOf(events: readonly CountedEvent[], gapMs: number): number[] {
  return [...groupBy(events, (event) => event.session_id).values()].flatMap((ofSession) =>
    sessionDurations(
      ofSession.map((event) => event.event_time),
      gapMs,
    ),
  );
}

const uniqueEvents = (events: Iterable<CountedEvent>): CountedEvent[] => [
  ...new Map([...events].map((event) => [event.event_id, event])).values(),
];

/**
 * The expected answer of `GET /event/` for these events without the numbers of {@link PersonStat}, which take longer: days in ascending
 * order, without days that have no events.
 * @param events all accepted events in any order; of several with the same event_id only one counts
 * @param gapMs session gap
 * @param timeZone IANA name of the zone whose days count
 */
export function bruteForceRollups(
  events: Iterable<CountedEvent>,
  gapMs = 30 * 60_000,
  timeZone = "UTC",
  countBots = false,
): RollupReport {
  const dateOf = localDates(timeZone);
  const unique = uniqueEvents(events);
  const daysOfPersons = personsOf(unique, dateOf).map((person) => countedDays(person, countBots));
  const active = countBy(daysOfPersons.flatMap((days) => [...days]));
  const firstDays = daysOfPersons.flatMap((days) => earliest(days) ?? []);
  const fresh = countBy(firstDays);
  const days = groupBy(unique, (event) => dateOf(event.event_time));
  const daily_stats = [...days.keys()].sort().map((day): DailyStat => {
    const ofDay = days.get(day) ?? [];
    const [ofPeople, ofBots] = [ofDay.filter((event) => !event.is_bot), ofDay.filter((event) => event.is_bot)];
    const durations = [...durationsOf(ofPeople, gapMs), ...(countBots ? durationsOf(ofBots, gapMs) : [])];
    const totalMs = durations.reduce((sum, ms) => sum + BigInt(ms), 0n);
    return {
      date: day.split("-").reverse().join("/"),
      average_session_duration_min: averageSessionDurationMin(totalMs, durations.length),
      average_session_duration_sec: averageSessionDurationSec(totalMs, durations.length),
      session_duration_ms: Number(totalMs),
      active_user_count: active.get(day) ?? 0,
      new_user_count: fresh.get(day) ?? 0,
      session_count: durations.length,
    };
  });
  return { total_users: firstDays.length, daily_stats };
}

/** How often each text occurs. */
function countBy(texts: readonly string[]): Map<string, number> {
  return new Map([...groupBy(texts, (text) => text)].map(([text, all]) => [text, all.length]));
}

/**
 * The expected answer of `GET /event/` for these events with all numbers.
 * @param events as for {@link bruteForceRollups}
 */
export function bruteForceStatistics(
  events: Iterable<CountedEvent>,
  { gapMs = 30 * 60_000, timeZone = "UTC", countBots = false }: Definitions = {},
): StatisticsReport {
  const dateOf = localDates(timeZone);
  const unique = uniqueEvents(events);
  const persons = personsOf(unique, dateOf);
  /** For each day, how many persons were active on at least one of the days that end with it. */
  const activeWithin = (length: number): Map<string, number> =>
    countBy(
      persons.flatMap((person) => {
        const covered = [...countedDays(person, countBots)].flatMap((day) =>
          Array.from({ length }, (_, i) => addDays(day, i)),
        );
        return [...new Set(covered)];
      }),
    );
  const [weekly, monthly] = [activeWithin(7), activeWithin(30)];
  const anonymous = countBy(
    persons.flatMap((person) => (person.kind === "anonymous" ? [...countedDays(person, countBots)] : [])),
  );
  const onlyBots = countBy(persons.flatMap(({ days, humanDays }) => [...days].filter((day) => !humanDays.has(day))));
  const botEvents = groupBy(
    unique.filter((event) => event.is_bot),
    (event) => dateOf(event.event_time),
  );
  const { total_users, daily_stats } = bruteForceRollups(unique, gapMs, timeZone, countBots);
  return {
    total_users,
    daily_stats: daily_stats.map((stat) => {
      const day = stat.date.split("/").reverse().join("-");
      return {
        ...stat,
        weekly_active_user_count: weekly.get(day) ?? 0,
        monthly_active_user_count: monthly.get(day) ?? 0,
        anonymous_user_count: anonymous.get(day) ?? 0,
        bot_user_count: onlyBots.get(day) ?? 0,
        bot_session_count: durationsOf(botEvents.get(day) ?? [], gapMs).length,
      };
    }),
  };
}
