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
const START = Date.UTC(2026, 0, 30, 22);

/** Times that touch, bridge and just miss each other, around two midnights. */
const times = fc.oneof(
  fc.integer({ min: 0, max: 12 }).map((n) => START + n * GAP),
  fc.integer({ min: 0, max: 12 }).map((n) => START + n * GAP - 1),
  fc.integer({ min: 0, max: 26 * 3_600_000 }).map((ms) => START + ms),
  fc.constant(Date.UTC(2020, 1, 29, 12)),
);

const events = fc
  .array(
    fc.record({
      time: times,
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

/** The newest version of each day. */
async function finalVersions(
  input: readonly ParsedEvent[],
  sizes: readonly number[],
  windows: SessionWindows,
): Promise<DayVersion[]> {
  const computations = new Computations(GAP, "00112233445566778899aabbccddeeff", windows);
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

  it("the rollups equal brute force for any bundles, panes, order, duplication and staleness of events, with and without Beam's session windows", async () => {
    await fc.assert(
      fc.asyncProperty(
        events.chain((list) => fc.shuffledSubarray([...list, ...list], { minLength: list.length })),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom<SessionWindows>("state", "beam"),
        async (sent, sizes, windows) => {
          const versions = await finalVersions(sent, sizes, windows);
          const expected = bruteForceRollups(sent.map(({ event }) => event));
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
      { numRuns: 500 },
    );
  });
});
