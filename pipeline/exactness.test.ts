import assert from "node:assert/strict";
import fc from "fast-check";
import { dayToDdMmYyyy } from "@eventlogger/events/day";
import type { DayVersion } from "@eventlogger/events/totals/totals";
import { averageSessionDurationMin, averageSessionDurationSec } from "@eventlogger/traffic/averages";
import { bruteForceRollups } from "@eventlogger/traffic/bruteForce";
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
        isStale: fc.boolean(),
      }),
      { maxLength: 40 },
    )
    .map((rows) =>
      rows.map(({ time, session, user, isStale }, i) =>
        parsedEvent({ event_id: `e${i}`, session_id: session, event_time: time, user_id: user }, isStale),
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

/** The newest version of each day. */
async function finalVersions(
  input: readonly ParsedEvent[],
  sizes: readonly number[],
  windows: SessionWindows,
  timeZone: string,
): Promise<DayVersion[]> {
  const computations = new Computations(GAP, "00112233445566778899aabbccddeeff", windows, timeZone);
  const deltas = [
    ...(await computations.countSessions(input, [...sizes])),
    ...(await computations.countUsers(input, [...sizes])),
  ];
  const newest = new Map<number, DayVersion>();
  for (const version of await computations.totalDays(deltas, [...sizes])) {
    assert.ok(version.version > (newest.get(version.day)?.version ?? 0), "versions of a day increase");
    newest.set(version.day, version);
  }
  return [...newest.values()].sort((a, b) => a.day - b.day);
}

describe("computations of the pipeline", function () {
  this.timeout(60_000);

  it("the rollups equal brute force for any bundles, panes, order, duplication and staleness of events around midnights and changes of the clocks, with and without Beam's session windows", async () => {
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
        async ([timeZone, sent], sizes, windows) => {
          const versions = await finalVersions(sent, sizes, windows, timeZone);
          const expected = bruteForceRollups(
            sent.map(({ event }) => event),
            GAP,
            timeZone,
          );
          const stats = versions
            .filter((version) => version.sessions > 0)
            .map(({ day, sessions, durationMs, activeUsers, newUsers }) => ({
              date: dayToDdMmYyyy(day),
              average_session_duration_min: averageSessionDurationMin(durationMs, sessions),
              average_session_duration_sec: averageSessionDurationSec(durationMs, sessions),
              active_user_count: activeUsers,
              new_user_count: newUsers,
              session_count: sessions,
            }));
          assert.deepEqual(stats, expected.daily_stats);
          const users = versions.reduce((sum, version) => sum + version.newUsers, 0);
          assert.equal(users, expected.total_users);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
