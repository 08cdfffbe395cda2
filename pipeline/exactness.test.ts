import assert from "node:assert/strict";
import fc from "fast-check";
import { dayToDdMmYyyy, dayToIso } from "@eventlogger/events/day";
import type { RetentionVersion } from "@eventlogger/events/totals/retention";
import type { DayVersion } from "@eventlogger/events/totals/totals";
import { averageSessionDurationMin, averageSessionDurationSec } from "@eventlogger/traffic/averages";
import { bruteForceStatistics, type StatisticsReport } from "@eventlogger/traffic/bruteForce";
import { bruteForceRetention, type RetentionReport } from "@eventlogger/traffic/bruteForceRetention";
import type { SessionWindows } from "./eventPipeline";
import type { ParsedEvent } from "./parse/parsedEvent";
import { Computations } from "./testing/computations";
import { parsedEvent } from "./testing/parsedEvents";

const GAP = 30 * 60_000;

/** Times that touch, bridge and just miss each other, around a midnight or a change of the clocks, and the midnight of the next day. */
const timesAround = (moment: number): fc.Arbitrary<number> => {
  const start = moment - 2 * 3_600_000;
  return fc.oneof(
    fc.integer({ min: 0, max: 12 }).map((n) => start + n * GAP),
    fc.integer({ min: 0, max: 12 }).map((n) => start + n * GAP - 1),
    fc.integer({ min: 0, max: 26 * 3_600_000 }).map((ms) => start + ms),
    fc.integer({ min: 0, max: 2 * 60_000 }).map((ms) => moment - 60_000 + ms),
    // Other weeks and months, before and after.
    fc.integer({ min: -70, max: 70 }).map((days) => moment + days * 86_400_000),
    fc.constant(Date.UTC(2020, 1, 29, 12)),
  );
};

const eventsAround = (moment: number): fc.Arbitrary<ParsedEvent[]> =>
  fc
    .array(
      fc.record({
        time: timesAround(moment),
        session: fc.constantFrom("a", "b", "c|d"),
        user: fc.constantFrom(null, "u1", "u2", "u3"),
        // The last one is also a user id, which is another person.
        anonymous: fc.constantFrom(null, null, "a1", "a2", "u1"),
        isBot: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean()),
        isStale: fc.boolean(),
      }),
      { maxLength: 40 },
    )
    .map((rows) =>
      rows.map(({ time, session, user, anonymous, isBot, isStale }, i) =>
        parsedEvent(
          {
            ...{ event_id: `e${i}`, session_id: session, event_time: time },
            ...{ user_id: user, anonymous_id: anonymous, is_bot: isBot },
          },
          isStale,
        ),
      ),
    );

/** A midnight or a change of the clocks in a zone. */
const MOMENTS: readonly (readonly [timeZone: string, moment: string])[] = [
  ["UTC", "2026-01-31T00:00Z"],
  ["Europe/Berlin", "2026-03-28T23:00Z"], // start of a day of 23 hours
  ["Europe/Berlin", "2026-10-25T01:00Z"], // 03:00 becomes 02:00
  ["America/New_York", "2026-11-01T04:00Z"], // start of a day of 25 hours
  ["America/Sao_Paulo", "2018-11-04T03:00Z"], // 00:00 becomes 01:00
  ["America/Sao_Paulo", "2019-02-17T02:00Z"], // 24:00 becomes 23:00
  ["America/St_Johns", "2010-11-07T02:31Z"], // 00:01 becomes 23:01 of the day before
  ["Australia/Lord_Howe", "2026-04-04T15:00Z"], // 02:00 becomes 01:30
  ["Asia/Kolkata", "2026-03-28T18:30Z"],
  ["Asia/Kathmandu", "2026-03-28T18:15Z"],
  ["Asia/Tehran", "2022-03-21T20:30Z"], // 00:00 becomes 01:00
  ["Africa/Cairo", "2023-10-26T21:00Z"], // 24:00 becomes 23:00
  ["Pacific/Apia", "2011-12-30T10:00Z"], // a day is skipped
  ["Pacific/Kiritimati", "2026-03-28T10:00Z"], // 14 hours ahead of UTC
  ["Etc/GMT+12", "2026-03-28T12:00Z"], // 12 hours behind UTC
];

interface Definitions {
  readonly windows: SessionWindows;
  readonly timeZone: string;
  readonly countBots: boolean;
}

/** The newest versions that the pipeline emits. */
interface FinalVersions {
  /** Of each day, by day. */
  readonly days: readonly DayVersion[];
  /** Of each cohort and week offset, by both. */
  readonly weeks: readonly RetentionVersion[];
}

/** The newest of some versions with the same key. */
function newestVersions<V extends { readonly version: number }>(versions: readonly V[], keyOf: (v: V) => string): V[] {
  const newest = new Map<string, V>();
  for (const version of versions) {
    assert.ok(version.version > (newest.get(keyOf(version))?.version ?? 0), "versions increase");
    newest.set(keyOf(version), version);
  }
  return [...newest.values()];
}

async function finalVersions(
  input: readonly ParsedEvent[],
  sizes: readonly number[],
  { windows, timeZone, countBots }: Definitions,
): Promise<FinalVersions> {
  const computations = new Computations(GAP, "00112233445566778899aabbccddeeff", windows, timeZone, countBots);
  const bundles = [...sizes];
  const [days, weeks]: [DayVersion[], RetentionVersion[]] = [[], []];
  const half = Math.floor(input.length / 2);
  for (const part of [input.slice(0, half), input.slice(half)]) {
    const persons = await computations.countPersons(part, bundles);
    const deltas = [...(await computations.countSessions(part, bundles)), ...persons.days];
    days.push(...(await computations.totalDays(deltas, bundles)));
    weeks.push(...(await computations.totalCohorts(persons.weeks, bundles)));
  }
  return {
    days: newestVersions(days, ({ day }) => String(day)).sort((a, b) => a.day - b.day),
    weeks: newestVersions(weeks, ({ cohortWeek, weekOffset }) => `${cohortWeek} ${weekOffset}`).sort(
      (a, b) => a.cohortWeek - b.cohortWeek || a.weekOffset - b.weekOffset,
    ),
  };
}

/** What `GET /event/` answers from these versions. */
function statisticsOf(versions: readonly DayVersion[]): StatisticsReport {
  const daily_stats: StatisticsReport["daily_stats"] = [];
  const sums = { users: 0, weekly: 0, monthly: 0 };
  for (const version of versions) {
    const { sessions, durationMs } = version;
    sums.users += version.newUsers;
    sums.weekly += version.weeklyActiveChange;
    sums.monthly += version.monthlyActiveChange;
    if (sessions === 0 && version.botSessions === 0) continue;
    daily_stats.push({
      date: dayToDdMmYyyy(version.day),
      average_session_duration_min: averageSessionDurationMin(durationMs, sessions),
      average_session_duration_sec: averageSessionDurationSec(durationMs, sessions),
      session_duration_ms: Number(durationMs),
      active_user_count: version.activeUsers,
      new_user_count: version.newUsers,
      session_count: sessions,
      weekly_active_user_count: sums.weekly,
      monthly_active_user_count: sums.monthly,
      anonymous_user_count: version.anonymousUsers,
      bot_user_count: version.botUsers,
      bot_session_count: version.botSessions,
    });
  }
  assert.deepEqual([sums.weekly, sums.monthly], [0, 0], "nobody is active a month after the last event");
  return { total_users: sums.users, daily_stats };
}

/** What `GET /retention/` answers from these versions. */
function retentionOf(versions: readonly RetentionVersion[]): RetentionReport {
  const cohorts = new Map<number, number[]>();
  for (const { cohortWeek, weekOffset, persons } of versions) {
    if (persons === 0) continue;
    const retained = cohorts.get(cohortWeek) ?? [];
    cohorts.set(cohortWeek, retained);
    while (retained.length < weekOffset) retained.push(0);
    retained.push(persons);
  }
  return {
    cohorts: [...cohorts].map(([week, retained]) => ({ week: dayToIso(week), size: retained[0] ?? 0, retained })),
  };
}

describe("computations of the pipeline", () => {
  it("the rollups and the retention equal brute force for any bundles, panes, order, duplication, links and staleness of events around midnights and changes of the clocks, with and without Beam's session windows and bots", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc
          .constantFrom(...MOMENTS)
          .chain(([timeZone, moment]) => fc.tuple(fc.constant(timeZone), eventsAround(Date.parse(moment))))
          .chain(([timeZone, list]) =>
            fc.tuple(fc.constant(timeZone), fc.shuffledSubarray([...list, ...list], { minLength: list.length })),
          ),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom<SessionWindows>("state", "beam"),
        fc.boolean(),
        async ([timeZone, sent], sizes, windows, countBots) => {
          const { days, weeks } = await finalVersions(sent, sizes, { windows, timeZone, countBots });
          const events = sent.map(({ event }) => event);
          assert.deepEqual(statisticsOf(days), bruteForceStatistics(events, { gapMs: GAP, timeZone, countBots }));
          assert.deepEqual(retentionOf(weeks), bruteForceRetention(events, { timeZone, countBots }));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
