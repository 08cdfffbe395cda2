import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { dayOf } from "@eventlogger/events/day";
import { dayDelta, type DayVersion } from "@eventlogger/events/totals/totals";
import { Computations } from "../testing/computations";
import { loadCell, storedRecords } from "../testing/statefulRun";
import { DayTotals } from "./dayTotals";
import { encodeTotals } from "./encoding";
import { VERSION_FLOOR_VARIABLE, versionFloor } from "./versionNumbers";

const TODAY = dayOf(Date.UTC(2026, 0, 31));
const LONG_AGO = dayOf(Date.UTC(2020, 1, 29));

describe("totalDays", () => {
  it("each change of a day, however old, gives one new version with the day's absolute counts", async () => {
    const computations = new Computations(30 * 60_000);
    const before = Date.now();

    // Changes of one bundle: one version per day.
    const [first, ...others] = await computations.totalDays([
      dayDelta(TODAY, { sessions: 1, durationMs: 60_000 }),
      dayDelta(TODAY, { activeUsers: 1, newUsers: 1 }),
    ]);
    assert.ok(first && others.length === 0);
    const counts = dayDelta(TODAY, { sessions: 1, durationMs: 60_000, activeUsers: 1, newUsers: 1 });
    assert.deepEqual(first, { ...counts, generation: 1, version: first.version, updatedAt: first.updatedAt });
    assert.ok(first.updatedAt >= before && first.updatedAt <= Date.now());

    // A later bundle adds to the totals, with a higher version.
    const [second] = await computations.totalDays([dayDelta(TODAY, { durationMs: 5000 })]);
    assert.equal(second?.durationMs, 65_000);
    assert.equal(second.sessions, 1);
    assert.ok(second.version > first.version);

    // An old day has totals of its own, and today keeps its version.
    const old = await computations.totalDays([dayDelta(LONG_AGO, { sessions: 1 })]);
    assert.deepEqual(
      old.map(({ day, sessions }) => ({ day, sessions })),
      [{ day: LONG_AGO, sessions: 1 }],
    );

    // Changes that cancel out give no version.
    assert.deepEqual(
      await computations.totalDays([dayDelta(TODAY, { sessions: 1 }), dayDelta(TODAY, { sessions: -1 })]),
      [],
    );
  });
});

/**
 * Runs bundles of one session each in a worker process, as the pool starts it, with a clock that is off. The first bundle
 * gets the state, each further one the state after the bundle before, and with `restores` always the first state.
 * @returns the versions that the process wrote
 */
function versionsOfWorker(options: {
  start: number;
  bundles: number;
  state?: string;
  clockOffsetMs?: number;
  restores?: boolean;
}): DayVersion[] {
  const { start, bundles, state = "", clockOffsetMs = 0, restores = false } = options;
  const program = path.join(__dirname, "testing", "writeVersions.js");
  const args = [program, String(bundles), state, String(clockOffsetMs), String(restores)];
  const env = { ...process.env, [VERSION_FLOOR_VARIABLE]: String(versionFloor(start)) };
  const { stdout, status, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as DayVersion[];
}

const stateAfter = ({ updatedAt: _time, generation: _generation, ...totals }: DayVersion): string =>
  encodeTotals(totals);

describe("DayTotals", () => {
  it("a worker with the right clock writes higher versions than one whose clock was ahead and whose last checkpoint was lost", () => {
    const [checkpoint, ...lost] = versionsOfWorker({ start: 1677, bundles: 3, clockOffsetMs: 600_000 });
    assert(checkpoint && lost.length === 2);
    const replayed = versionsOfWorker({ start: 1678, bundles: 2, state: stateAfter(checkpoint) });
    assert.deepEqual(
      replayed.map(({ sessions }) => sessions),
      [2, 3],
    );
    const highestLost = Math.max(...lost.map(({ version }) => version));
    for (const { version } of replayed) assert.ok(version > highestLost, `${version} is not above ${highestLost}`);
    assert.equal(replayed[1]?.version, (replayed[0]?.version ?? 0) + 1);
  });

  it("a worker process that lives on when its job is restored never writes two rows with one version", () => {
    const state = encodeTotals({ ...dayDelta(20_484, { sessions: 5 }), version: 3 });
    const versions = versionsOfWorker({ start: 1677, bundles: 4, state, restores: true }).map((v) => v.version);
    const floor = versionFloor(1677);
    assert.deepEqual(versions, [floor + 1, floor + 2, floor + 3, floor + 4]);
  });

  it("versions on Dataflow, where workers have no floor, are higher than the floor of the launch and than the stored version", () => {
    const totalsOf = (version: number): DayVersion | undefined => {
      const doFn = new DayTotals(1, 1_900_000_000_000);
      const text = encodeTotals({ ...dayDelta(version % 1000, { sessions: 1 }), version });
      return [...doFn.finishKey("0", { totals: loadCell(doFn.states().totals, storedRecords(text)) })][0];
    };
    assert.equal(totalsOf(1_800_000_000_001)?.version, 1_900_000_000_001);
    assert.equal(totalsOf(1_900_000_000_777)?.version, 1_900_000_000_778);
  });

  it("DayTotals continues from the state that earlier versions stored", () => {
    const future = 4_000_000_000_000;
    const text = (version: number): string =>
      `{"day":19860,"sessions":5,"durationMs":60000,"activeUsers":3,"newUsers":1,"anonymousUsers":2,` +
      `"weeklyActiveChange":-4,"monthlyActiveChange":6,"botSessions":7,"botUsers":8,"version":${version}}`;
    const doFn = new DayTotals(3);
    const totals = loadCell(doFn.states().totals, storedRecords(text(future)));
    assert.equal(doFn.process("19860", "[1,500,0,0,1,1,1,1,1]", { totals }), undefined);
    const [version] = doFn.finishKey("19860", { totals });
    const { updatedAt = 0, generation, ...numbers } = version ?? {};
    assert.equal(generation, 3);
    assert.deepEqual(numbers, {
      ...{ day: 19_860, sessions: 6, durationMs: 60_500, activeUsers: 3, newUsers: 1, anonymousUsers: 3 },
      ...{ weeklyActiveChange: -3, monthlyActiveChange: 7, botSessions: 8, botUsers: 9 },
      version: future + 1,
    });
    assert.ok(Math.abs(Date.now() - updatedAt) < 10_000);
  });
});
