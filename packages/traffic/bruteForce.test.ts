import assert from "node:assert/strict";
import { bruteForceRollups, bruteForceStatistics } from "./bruteForce";

const at = (iso: string): number => Date.parse(iso + "Z");
let ids = 0;
const event = (session_id: string, iso: string, user_id: string | null, event_id = `e${ids++}`): never =>
  ({ event_id, session_id, event_time: at(iso), user_id }) as never;

describe("bruteForceRollups", () => {
  it("bruteForceRollups returns the numbers worked out by hand", () => {
    const events = [
      // u1: 10:00:00-10:10:00 is one session; 10:40:00 is exactly 30 min later, a second one.
      event("s1", "2024-05-17T10:00:00", "u1"),
      event("s1", "2024-05-17T10:10:00", "u1", "twice"),
      event("s1", "2024-05-17T10:10:00", "u1", "twice"),
      event("s1", "2024-05-17T10:40:00", "u1"),
      // Across midnight: 1 min on the 17th, 30 s on the 18th.
      event("s2", "2024-05-17T23:58:00", null),
      event("s2", "2024-05-17T23:59:00", null),
      event("s2", "2024-05-18T00:00:00", null),
      event("s2", "2024-05-18T00:00:30", null),
      // u2 is new on the 18th; u1 is back; u3 was there in 2020 already.
      event("s3", "2024-05-18T09:00:00", "u2"),
      event("s4", "2024-05-18T09:00:00", "u1"),
      event("s5", "2024-05-18T09:00:00", "u3"),
      event("s6", "2020-02-29T12:00:00", "u3"),
    ];
    const expected = {
      total_users: 3,
      daily_stats: [
        {
          date: "29/02/2020",
          average_session_duration_min: 0,
          average_session_duration_sec: 0,
          session_duration_ms: 0,
          active_user_count: 1,
          new_user_count: 1,
          session_count: 1,
        },
        {
          date: "17/05/2024", // 660 s over 3 sessions
          average_session_duration_min: 3.67,
          average_session_duration_sec: 220,
          session_duration_ms: 660_000,
          active_user_count: 1,
          new_user_count: 1,
          session_count: 3,
        },
        {
          date: "18/05/2024", // 30 s over 4 sessions: 7.5 s, 0.125 min
          average_session_duration_min: 0.13,
          average_session_duration_sec: 8,
          session_duration_ms: 30_000,
          active_user_count: 3,
          new_user_count: 1,
          session_count: 4,
        },
      ],
    };
    assert.deepEqual(bruteForceRollups(events), expected);
    assert.deepEqual(bruteForceRollups([...events].reverse()), expected);
  });

  it("bruteForceRollups splits sessions and counts users by the days of the given time zone", () => {
    const events = [
      // In New York, 01:30 to 01:50 before the clock goes back, and 10 minutes later 01:00: one session of 30 minutes.
      event("s1", "2026-11-01T05:30:00", "u1"),
      event("s1", "2026-11-01T05:50:00", "u1"),
      event("s1", "2026-11-01T06:00:00", "u1"),
      // 23:50 of 31 October to 00:10 of 1 November.
      event("s2", "2026-11-01T03:50:00", "u1"),
      event("s2", "2026-11-01T04:10:00", "u2"),
      // 1 November has 25 hours: its last minute, and the first one of 2 November.
      event("s3", "2026-11-02T04:59:00", "u2"),
      event("s3", "2026-11-02T05:00:00", "u2"),
    ];
    const day = (date: string, seconds: number, sessions: number, active: number, fresh: number): object => ({
      date,
      average_session_duration_min: seconds / 60,
      average_session_duration_sec: seconds,
      session_duration_ms: seconds * sessions * 1000,
      active_user_count: active,
      new_user_count: fresh,
      session_count: sessions,
    });
    assert.deepEqual(bruteForceRollups(events, 30 * 60_000, "America/New_York"), {
      total_users: 2,
      daily_stats: [day("31/10/2026", 0, 1, 1, 1), day("01/11/2026", 600, 3, 2, 1), day("02/11/2026", 0, 1, 1, 0)],
    });
  });

  describe("bruteForceStatistics", () => {
    const seen = (iso: string, user_id: string | null, anonymous_id: string | null, is_bot = false) => ({
      ...{ event_id: `p${ids++}`, session_id: "s", event_time: at(iso), user_id, anonymous_id, is_bot },
    });
    /** The numbers of persons of each day: active, new, anonymous, weekly, monthly, bots, sessions of bots. */
    const persons = (events: ReturnType<typeof seen>[], countBots = false): Record<string, number[]> =>
      Object.fromEntries(
        bruteForceStatistics(events, { countBots }).daily_stats.map((day) => [
          day.date,
          [
            ...[day.active_user_count, day.new_user_count, day.anonymous_user_count],
            ...[day.weekly_active_user_count, day.monthly_active_user_count],
            ...[day.bot_user_count, day.bot_session_count],
          ],
        ]),
      );

    it("an anonymous id counts for itself until it is seen with users, and then on all its days for each of them", () => {
      const visits = [seen("2024-05-01T10:00:00", null, "a"), seen("2024-05-08T10:00:00", null, "a")];
      assert.deepEqual(persons(visits), { "01/05/2024": [1, 1, 1, 1, 1, 0, 0], "08/05/2024": [1, 0, 1, 1, 1, 0, 0] });
      const logins = [seen("2024-05-03T10:00:00", "u", "a"), seen("2024-05-31T10:00:00", "w", "a")];
      assert.deepEqual(persons([...visits, ...logins]), {
        "01/05/2024": [2, 2, 0, 2, 2, 0, 0],
        "03/05/2024": [2, 0, 0, 2, 2, 0, 0],
        "08/05/2024": [2, 0, 0, 2, 2, 0, 0],
        "31/05/2024": [2, 0, 0, 2, 2, 0, 0],
      });
      // A user id that is equal to an anonymous id is another person.
      assert.deepEqual(persons([...visits, seen("2024-05-08T10:00:00", "a", null)])["08/05/2024"], [
        ...[2, 1, 1],
        ...[2, 2, 0, 0],
      ]);
    });

    it("an anonymous id with more than 50 users counts for none, and is no person", () => {
      const linked = (users: number) => [
        seen("2024-05-01T10:00:00", null, "a"),
        ...Array.from({ length: users }, (_, i) => seen("2024-05-02T10:00:00", `u${i}`, "a")),
      ];
      assert.deepEqual(persons(linked(50))["01/05/2024"], [50, 50, 0, 50, 50, 0, 0]);
      assert.deepEqual(persons(linked(51)), {
        "01/05/2024": [0, 0, 0, 0, 0, 0, 0],
        "02/05/2024": [51, 51, 0, 51, 51, 0, 0],
      });
    });

    it("a day with events of bots only counts for bots, and weekly and monthly numbers end after 7 and 30 days", () => {
      const events = [
        seen("2024-05-01T10:00:00", "u", null),
        seen("2024-05-01T10:05:00", "u", null, true),
        seen("2024-05-07T10:00:00", "bot", null, true),
        seen("2024-05-08T10:00:00", "bot", null, true),
        seen("2024-05-30T10:00:00", "bot", null, true),
        seen("2024-05-31T10:00:00", "bot", null, true),
      ];
      assert.deepEqual(persons(events), {
        "01/05/2024": [1, 1, 0, 1, 1, 0, 1],
        "07/05/2024": [0, 0, 0, 1, 1, 1, 1],
        "08/05/2024": [0, 0, 0, 0, 1, 1, 1],
        "30/05/2024": [0, 0, 0, 0, 1, 1, 1],
        "31/05/2024": [0, 0, 0, 0, 0, 1, 1],
      });
      assert.deepEqual(persons(events, true)["31/05/2024"], [1, 0, 0, 1, 1, 1, 1]);
      const [first] = bruteForceStatistics(events).daily_stats;
      assert.deepEqual([first?.session_count, first?.average_session_duration_sec], [1, 0]);
      const [all] = bruteForceStatistics(events, { countBots: true }).daily_stats;
      assert.equal(all?.session_count, 2, "events of bots and of people share no session");
    });
  });

  it("bruteForceRollups returns no days without events", () => {
    assert.deepEqual(bruteForceRollups([]), { total_users: 0, daily_stats: [] });
  });
});
