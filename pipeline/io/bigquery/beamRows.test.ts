import assert from "node:assert/strict";
import fc from "fast-check";
import { rowCoder } from "@eventlogger/beam/rows/schema";
import { encode, roundTrip } from "@eventlogger/beam/testing/codec";
import { beamRowTypes, fromBeamRow, toBeamRow } from "./beamRows";
import { tables, type Column, type ColumnType } from "@eventlogger/gcp/bigquery/tables";

const isoTime = fc
  .date({ min: new Date(0), max: new Date("2200-01-01"), noInvalidDate: true })
  .map((d) => d.toISOString());

const VALUES: { readonly [Type in ColumnType]: fc.Arbitrary<string | number | boolean> } = {
  STRING: fc.string({ unit: "grapheme" }),
  INT64: fc.maxSafeInteger(),
  DATE: isoTime.map((iso) => iso.slice(0, 10)),
  TIMESTAMP: isoTime,
  JSON: fc.json(),
  BOOL: fc.boolean(),
};

const valueOf = ({ type, mode }: Column): fc.Arbitrary<string | number | boolean | null> =>
  mode === "REQUIRED" ? VALUES[type] : fc.option(VALUES[type]);

describe("beamRows", () => {
  for (const table of tables) {
    it(`every row of ${table.name} survives the conversion to a Beam row and back, with its fields in order`, () => {
      const coder = rowCoder(beamRowTypes(table));
      const row = fc.record(Object.fromEntries(table.columns.map((c) => [c.name, valueOf(c)])), {
        noNullPrototype: true,
      });
      fc.assert(
        fc.property(row, (original) => {
          const [read] = roundTrip(coder, [toBeamRow(table, original)]);
          assert.equal(JSON.stringify(fromBeamRow(table, read ?? {})), JSON.stringify(original));
        }),
      );
    });
  }

  it("Beam rows have times as microseconds and dates as days since 1970", () => {
    const [, versions] = tables;
    assert(versions);
    const row = {
      generation: 7,
      date: "1970-01-11",
      version: 1,
      session_count: 2,
      session_duration_ms: 3,
      active_user_count: 4,
      new_user_count: 5,
      updated_at: "1970-01-01T00:00:00.003Z",
      written_date: "1970-01-02",
    };
    const beamRow = toBeamRow(versions, row);
    assert.equal(beamRow["updated_at"], 3000);
    const bytes = Buffer.from(encode(rowCoder(beamRowTypes(versions)), [beamRow])).toString("hex");
    assert.equal(bytes, "0e02003e" + "07" + "0a" + "0102030405" + "b817" + "01");
  });

  it("encoding a Beam row without a required field is an error", () => {
    const [events] = tables;
    assert(events);
    const coder = rowCoder(beamRowTypes(events));
    assert.throws(() => encode(coder, [toBeamRow(events, { event_id: "e" })]), /field session_id is required/);
  });
});
