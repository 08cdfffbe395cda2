import type { PersonDays } from "@eventlogger/events/persons/personDeltas";
import type { DaySet } from "@eventlogger/events/users/activeDays";
import type { VarintReader, VarintWriter } from "@eventlogger/events/varints";

/** How a set of days is written. The values are part of stored state. */
const FORM = { empty: 0, oneDay: 1, bitmap: 2 };
const FORMS = 3;

function formOf(set: DaySet): number {
  if (set === undefined) return FORM.empty;
  return typeof set === "number" ? FORM.oneDay : FORM.bitmap;
}

function writeSet(writer: VarintWriter, set: DaySet): void {
  if (typeof set === "number") writer.signed(set);
  else if (set)
    writer
      .signed(set.start / 8)
      .unsigned(set.bits.length)
      .bytes(set.bits);
}

/** @returns undefined for damaged bytes */
function readSet(reader: VarintReader, form: number): { readonly set: DaySet } | undefined {
  if (form === FORM.empty) return { set: undefined };
  const first = reader.signed();
  if (first === undefined) return undefined;
  if (form === FORM.oneDay) return { set: first };
  const length = reader.unsigned();
  const bits = length === undefined || length === 0 ? undefined : reader.take(length);
  return bits && { set: { start: first * 8, bits } };
}

/**
 * Writes the days of a person: a byte with the forms of both sets, then the days of people, then those of bots. One day is a
 * signed varint; several days are the first byte of the bitmap (its first day divided by 8, a signed varint), its length, and the bitmap.
 */
export function writePersonDays(writer: VarintWriter, { human, bots }: Readonly<PersonDays>): void {
  writer.unsigned(formOf(human) + FORMS * formOf(bots));
  writeSet(writer, human);
  writeSet(writer, bots);
}

/** @returns undefined for bytes that {@link writePersonDays} has not written */
export function readPersonDays(reader: VarintReader): PersonDays | undefined {
  const forms = reader.unsigned();
  if (forms === undefined || forms >= FORMS * FORMS) return undefined;
  const human = readSet(reader, forms % FORMS);
  const bots = human && readSet(reader, Math.floor(forms / FORMS));
  return human && bots && { human: human.set, bots: bots.set };
}
