import "../sdk";
import { registerLogicalType } from "apache-beam/coders/row_coder";
import { AtomicType, LogicalType, type FieldType } from "apache-beam/proto/schema";

const DAY_MS = 86_400_000;
const FORM = /^\d{4}-\d\d-\d\d$/;

/** Days since 1970. */
const EPOCH_DAY: FieldType = {
  nullable: false,
  typeInfo: { oneofKind: "atomicType", atomicType: AtomicType.INT64 },
};

/** A day without time and zone. */
export const DATE = LogicalType.create({ urn: "beam:logical_type:date:v1", representation: EPOCH_DAY });

/** @throws RangeError when the text is no `YYYY-MM-DD` of a day that there is */
function toEpochDay(date: string): number {
  const ms = FORM.test(date) ? Date.parse(`${date}T00:00:00Z`) : Number.NaN;
  // Where a month has no such day, Date.parse takes the next one's or none.
  if (Number.isNaN(ms) || fromEpochDay(ms / DAY_MS) !== date) throw new RangeError(`Not a date: ${date}`);
  return ms / DAY_MS;
}

function fromEpochDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

registerLogicalType({ urn: DATE.urn, reprType: EPOCH_DAY, toRepr: toEpochDay, fromRepr: fromEpochDay });
