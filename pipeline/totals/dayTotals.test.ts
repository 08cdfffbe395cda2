import assert from "node:assert/strict";
import { dayOf } from "@eventlogger/events/day";
import type { DayDelta } from "@eventlogger/events/totals/totals";
import { Computations } from "../testing/computations";
import { loadCell, storedTexts } from "../testing/statefulRun";
import { DayTotals } from "./dayTotals";

const TODAY = dayOf(Date.UTC(2026, 0, 31));
const LONG_AGO = dayOf(Date.UTC(2020, 1, 29));
const delta = (day: number, changes: Partial<DayDelta>): DayDelta => ({
  ...{ sessions: 0, durationMs: 0, activeUsers: 0, newUsers: 0 },
  ...changes,
  day,
});

describe("totalDays", () => {
  it("each change of a day, however old, gives one new version with the day's absolute counts", async () => {
    const computations = new Computations(30 * 60_000);
    const before = Date.now();

    // Changes of one bundle: one version per day.
    const [first, ...others] = await computations.totalDays([
      delta(TODAY, { sessions: 1, durationMs: 60_000 }),
      delta(TODAY, { activeUsers: 1, newUsers: 1 }),
    ]);
    assert.ok(first && others.length === 0);
    const counts = { day: TODAY, sessions: 1, durationMs: 60_000, activeUsers: 1, newUsers: 1 };
    assert.deepEqual(first, { ...counts, version: first.version, updatedAt: first.updatedAt });
    assert.ok(first.version >= before && first.updatedAt >= before && first.updatedAt <= Date.now());

    // A later bundle adds to the totals, with a higher version.
    const [second] = await computations.totalDays([delta(TODAY, { durationMs: 5000 })]);
    assert.equal(second?.durationMs, 65_000);
    assert.equal(second.sessions, 1);
    assert.ok(second.version > first.version);

    // An old day has totals of its own, and today keeps its version.
    const old = await computations.totalDays([delta(LONG_AGO, { sessions: 1 })]);
    assert.deepEqual(
      old.map(({ day, sessions }) => ({ day, sessions })),
      [{ day: LONG_AGO, sessions: 1 }],
    );

    // Changes that cancel out give no version.
    assert.deepEqual(await computations.totalDays([delta(TODAY, { sessions: 1 }), delta(TODAY, { sessions: -1 })]), []);
  });
});

describe("DayTotals", () => {
  it("DayTotals continues from the state that earlier versions stored", () => {
    const future = 4_000_000_000_000;
    const text = (version: number): string =>
      `{"day":19860,"sessions":5,"durationMs":60000,"activeUsers":3,"newUsers":1,"version":${version}}`;
    const doFn = new DayTotals();
    const totals = loadCell(doFn.states().totals, storedTexts(text(future)));
    assert.equal(doFn.process("19860", "[1,500,0,0]", { totals }), undefined);
    const [version] = doFn.finishKey("19860", { totals });
    const { updatedAt = 0, ...numbers } = version ?? {};
    assert.deepEqual(numbers, {
      ...{ day: 19_860, sessions: 6, durationMs: 60_500, activeUsers: 3, newUsers: 1 },
      version: future + 1,
    });
    assert.ok(Math.abs(Date.now() - updatedAt) < 10_000);
  });
});
