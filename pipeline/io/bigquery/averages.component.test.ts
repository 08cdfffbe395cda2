import assert from "node:assert/strict";
import fc from "fast-check";
import { averageMinutesSql, averageSecondsSql } from "@eventlogger/gcp/bigquery/averages";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { averageSessionDurationMin, averageSessionDurationSec } from "@eventlogger/traffic/averages";

interface Day {
  readonly ms: number;
  readonly n: number;
}

/** Sums exactly on a half of the unit, and a millisecond next to it. */
const nearHalf = (unitMs: number): fc.Arbitrary<Day> =>
  fc
    .tuple(fc.nat(1_000_000), fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: -1, max: 1 }))
    .map(([units, n, offset]) => ({ ms: ((2 * units + 1) * unitMs * n) / 2 + offset, n }));

const days = fc.oneof(
  fc.record({ ms: fc.maxSafeNat(), n: fc.integer({ min: 1, max: 1_000_000_000 }) }),
  fc.record({ ms: fc.nat(100_000), n: fc.integer({ min: 1, max: 50 }) }),
  nearHalf(1000),
  nearHalf(600),
  fc.constant({ ms: 0, n: 0 }),
);

describe("SQL of the average session durations", () => {
  const fixture = useBigQueryEmulator();

  it("the SQL of average session durations equals exact arithmetic for sums of any size and on halves", async () => {
    const sample = fc.sample(days, 600);
    // The time that the emulator takes to parse a query grows faster than its length.
    for (let i = 0; i < sample.length; i += 50) {
      const part = sample.slice(i, i + 50);
      // The emulator's integer literals have 32 bits.
      const values = part.map(
        ({ ms, n }, j) => `STRUCT(${j} AS i, CAST(${ms} AS INT64) AS ms, CAST(${n} AS INT64) AS n)`,
      );
      const rows = await runQuery(
        fixture.bigquery,
        `SELECT ${averageSecondsSql("ms", "n")} AS sec, ${averageMinutesSql("ms", "n")} AS min
         FROM UNNEST([${values.join(", ")}]) ORDER BY i`,
      );
      assert.deepEqual(
        rows.map((row, j) => ({ ...part[j], sec: row.number("sec"), min: row.number("min") })),
        part.map(({ ms, n }) => ({
          ...{ ms, n },
          sec: averageSessionDurationSec(ms, n),
          min: averageSessionDurationMin(ms, n),
        })),
      );
    }
  });
});
