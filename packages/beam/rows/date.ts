import "../sdk";
import { registerLogicalType } from "apache-beam/coders/row_coder";
import { AtomicType, LogicalType, type FieldType } from "apache-beam/proto/schema";

const DAY_MS = 86_400_000;
const FORMAT = /^\d{4}-\d\d-\d\d$/;

/** Days since 1970. */
const EPOCH_DAY: FieldType = {
  nullable: false,
  typeInfo: { oneofKind: "atomicType", atomicType: AtomicType.INT64 },
};

/** A date without time and time zone. */
export const DATE = LogicalType.create({ urn: "beam:logical_type:date:v1", representation: EPOCH_DAY });

/** @throws RangeError when the text is not the `YYYY-MM-DD` of a calendar date */
function toEpochDay(date: string): number {
  const ms = FORMAT.test(date) ? Date.parse(`${date}T00:00:00Z`) : Number.NaN;
  // For a day that the month does not have, Date.parse returns NaN or a day of the next month.
  if (Number.isNaN(ms) || fromEpochDay(ms / DAY_MS) !== date)
    throw new RangeError(`${JSON.stringify(date)} is not a date (YYYY-MM-DD)`);
  return ms / DAY_MS;
}

function fromEpochDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

registerLogicalType({ urn: DATE.urn, reprType: EPOCH_DAY, toRepr: toEpochDay, fromRepr: fromEpochDay });
