import assert from "node:assert/strict";
import { bruteForceRetention } from "./bruteForceRetention";

const at = (iso: string, user_id: string | null, more: object = {}) => ({
  event_time: Date.parse(`${iso}Z`),
  user_id,
  ...more,
});

describe("bruteForceRetention", () => {
  it("bruteForceRetention returns the cohorts worked out by hand", () => {
    const events = [
      // 2024-04-29 is a Monday. u1 returns in the week after, and in the third one.
      at("2024-05-05T23:59:59", "u1"),
      at("2024-05-06T00:00:00", "u1"),
      at("2024-05-06T00:00:00", "u1"),
      at("2024-05-22T10:00:00", "u1"),
      at("2024-04-29T00:00:00", "u2"),
      // 53 weeks later counts, 54 weeks later does not.
      at("2025-05-05T00:00:00", "u2"),
      at("2025-05-12T00:00:00", "u2"),
      // u3 is known since 8 May by its device, whose earlier day is a bot's.
      at("2024-05-10T10:00:00", "u3", { anonymous_id: "a" }),
      at("2024-05-08T10:00:00", null, { anonymous_id: "a" }),
      at("2024-05-01T10:00:00", null, { anonymous_id: "a", is_bot: true }),
      at("2024-05-12T23:00:00", null, { anonymous_id: "visitor" }),
    ];
    const first = [2, 1, 0, 1, ...Array<number>(49).fill(0), 1];
    assert.deepEqual(bruteForceRetention(events), {
      cohorts: [
        { week: "2024-04-29", size: 2, retained: first },
        { week: "2024-05-06", size: 2, retained: [2] },
      ],
    });
    assert.deepEqual(bruteForceRetention(events, { countBots: true }), {
      cohorts: [
        { week: "2024-04-29", size: 3, retained: [3, 2, ...first.slice(2)] },
        { week: "2024-05-06", size: 1, retained: [1] },
      ],
    });
    // In Tokyo, the first event of u1 is on Monday, 6 May, and the visitor's on Monday, 13 May.
    assert.deepEqual(
      bruteForceRetention(events, { timeZone: "Asia/Tokyo" }).cohorts.map(({ week, size }) => [week, size]),
      [
        ["2024-04-29", 1],
        ["2024-05-06", 2],
        ["2024-05-13", 1],
      ],
    );
  });
});
