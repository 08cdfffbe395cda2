import { publishedFields, type AvroType, type FieldRule } from "./eventSchema";

/** A field of {@link EventAvroSchema}. */
export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  readonly doc?: string;
  readonly default?: null | false;
}

/** The schema of an event on Pub/Sub: an Avro 1.11 record. */
export interface EventAvroSchema {
  readonly type: "record";
  readonly name: string;
  readonly namespace: string;
  readonly doc: string;
  readonly fields: readonly AvroField[];
}

/** Whether a type is a union of null and another type. */
export function isUnion(type: AvroType): type is Extract<AvroType, readonly ["null", string]> {
  return Array.isArray(type);
}

/**
 * The Avro type of a field: the one the field declares, else the one that its JSON Schema implies.
 * @throws Error when neither is known
 */
function avroType(name: string, { schema, avro }: FieldRule): AvroType {
  if (avro) return avro.type;
  if (typeof schema.const === "string") return { type: "enum", name: "EventType", symbols: [schema.const] };
  if (schema.type === "string") return "string";
  if (schema.type === "integer") return "long";
  if (Array.isArray(schema.type) && schema.type.join() === "string,null") return ["null", "string"];
  throw new Error(`The field ${name} of an event needs an Avro type`);
}

function avroField([name, rule]: readonly [string, FieldRule]): AvroField {
  const type = avroType(name, rule);
  return {
    name,
    type,
    ...(rule.avro && { doc: rule.avro.doc }),
    // Lets a later revision add or drop the field: Pub/Sub requires every revision to read what the others wrote.
    ...(isUnion(type) && { default: null }),
    ...(type === "boolean" && { default: false }),
  };
}

/** Derived from the one definition of an event. `encodeMessage` writes its JSON encoding. */
export const eventAvroSchema: EventAvroSchema = {
  type: "record",
  name: "Event",
  namespace: "eventlogger",
  doc: "An accepted behaviour event",
  fields: Object.entries<FieldRule>(publishedFields).map(avroField),
};

/** The schema as one line of text. Revisions are compared by this text, so it is the same within a release. */
export const eventAvroDefinition: string = JSON.stringify(eventAvroSchema);
