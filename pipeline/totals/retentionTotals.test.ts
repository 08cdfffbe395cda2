import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_WEEK_OFFSET, type RetentionDelta } from "@eventlogger/events/totals/retention";
import { EncodingError } from "../textEncoding";
import { Computations } from "../testing/computations";
import { loadCell, storedRecords } from "../testing/statefulRun";
import { decodeCohort, decodeCohortDeltas, encodeCohort, encodeCohortDeltas } from "./retentionEncoding";
import { RetentionTotals } from "./retentionTotals";
import { versionFloor } from "./versionNumbers";

const WEEK = 20_458;
const delta = (weekOffset: number, persons: number, cohortWeek = WEEK): RetentionDelta => ({
  ...{ cohortWeek, weekOffset, persons },
});

describe("totalCohorts", () => {
  it("each bundle gives one new version of each week that it changes, with the persons of the cohort", async () => {
    const computations = new Computations(30 * 60_000);
    const found = async (...deltas: RetentionDelta[]) =>
      (await computations.totalCohorts(deltas)).map(({ cohortWeek, weekOffset, persons, generation }) => [
        ...[cohortWeek, weekOffset, persons, generation],
      ]);
    assert.deepEqual(await found(delta(0, 1), delta(0, 2), delta(5, 1), delta(0, 1, WEEK + 7)), [
      [WEEK, 0, 3, 1],
      [WEEK, 5, 1, 1],
      [WEEK + 7, 0, 1, 1],
    ]);
    assert.deepEqual(await found(delta(5, -1), delta(2, 4)), [
      [WEEK, 5, 0, 1],
      [WEEK, 2, 4, 1],
    ]);
    assert.deepEqual(await found(delta(5, 1), delta(5, -1)), [], "changes that cancel out give no version");
    const [first] = await computations.totalCohorts([delta(1, 1)]);
    const [second] = await computations.totalCohorts([delta(1, 1)]);
    assert.ok((second?.version ?? 0) > (first?.version ?? 0), "versions increase");
  });

  it("RetentionTotals continues from the state that earlier starts stored, with versions above it and above the floor", () => {
    const doFn = new RetentionTotals(3, versionFloor(1677));
    const cohort = loadCell(doFn.states().cohort, storedRecords('{"cohortWeek":20458,"persons":[3,0,1],"version":7}'));
    doFn.process(String(WEEK), "[2,-1,4,1]", { cohort });
    const versions = [...doFn.finishKey(String(WEEK), { cohort })];
    assert.deepEqual(
      versions.map(({ generation, weekOffset, persons }) => [generation, weekOffset, persons]),
      [
        [3, 2, 0],
        [3, 4, 1],
      ],
    );
    for (const { version } of versions) assert.ok(version > versionFloor(1677), String(version));
    assert.deepEqual([...doFn.finishKey(String(WEEK), { cohort })], [], "nothing has changed since");
  });

  it("deltas and totals of cohorts are the same after encoding and decoding", () => {
    const deltas = fc.array(fc.tuple(fc.nat(MAX_WEEK_OFFSET), fc.maxSafeInteger()), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 100_000 }), deltas, (week, list) => {
        const cohort = list.map(([weekOffset, persons]) => delta(weekOffset, persons, week));
        assert.deepEqual(decodeCohortDeltas(encodeCohortDeltas(cohort)), cohort);
        const totals = { cohortWeek: week, persons: list.map(([, persons]) => persons), version: 5 };
        assert.deepEqual(decodeCohort(encodeCohort(totals)), totals);
      }),
    );
  });

  it("damaged texts of cohorts are an error", () => {
    for (const value of ["", "{}", "[1]", "[54,1]", "[-1,1]", '[0,"1"]', "[0,0.5]"]) {
      assert.throws(() => decodeCohortDeltas({ key: "1", value }), EncodingError, value);
    }
    assert.throws(() => decodeCohortDeltas({ key: "x", value: "[0,1]" }), EncodingError);
    for (const text of ["", "null", "[]", "{}", '{"cohortWeek":1,"persons":[1.5],"version":1}', '{"persons":[1]}']) {
      assert.throws(() => decodeCohort(text), EncodingError, text);
    }
  });
});
