import assert from "node:assert/strict";
import { expectedTotals } from "../traffic/expectedTotals";
import {
  eventsOfKnownUsers,
  eventsOfReturningUsers,
  RETURNING_USERS,
  totalsOfKnownUsers,
  totalsOfReturningUsers,
  type GrowthTraffic,
} from "./traffic";

const traffic = (known: number): GrowthTraffic => ({
  known,
  events: 40_000,
  openSessions: 500,
  nowMs: Date.UTC(2026, 0, 31, 12),
});

describe("traffic of bench:growth", () => {
  it("the totals of the three days agree with those of all events together", () => {
    const small = traffic(12_000);
    const all = expectedTotals([
      ...eventsOfKnownUsers(small),
      ...eventsOfReturningUsers(small, "warm-up"),
      ...eventsOfReturningUsers(small, "measured"),
    ]);
    assert.deepEqual(all, [
      ...totalsOfKnownUsers(small),
      ...totalsOfReturningUsers(small, "warm-up"),
      ...totalsOfReturningUsers(small, "measured"),
    ]);
  });

  it("the returning users do the same whatever the number of known users, and are spread over all of them", () => {
    const counts = (known: number) => totalsOfReturningUsers(traffic(known), "measured");
    assert.deepEqual(counts(10_000), counts(5_000_000));
    const users = new Set([...eventsOfReturningUsers(traffic(5_000_000), "measured")].map(({ userId }) => userId));
    const numbers = [...users].map((user) => Number(user.slice("user-".length)));
    assert(Math.max(...numbers) > 4_900_000 && Math.min(...numbers) < 100_000);
    assert(users.size > RETURNING_USERS / 3 && users.size <= RETURNING_USERS, `${users.size}`);
  });
});
