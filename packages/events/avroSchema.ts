import { publishedFields, type FieldRule } from "./eventSchema";

/** An Avro type, as far as events use them. */
export type AvroType =
  | "string"
  | "long"
  | "double"
  | readonly ["null", "string"]
  | { readonly type: "enum"; readonly name: string; readonly symbols: readonly string[] };

/** A field of {@link EventAvroSchema}. */
export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  readonly doc?: string;
  readonly default?: null;
}

/** The schema of an event on Pub/Sub: an Avro 1.11 record. */
export interface EventAvroSchema {
  readonly type: "record";
  readonly name: string;
  readonly namespace: string;
  readonly doc: string;
  readonly fields: readonly AvroField[];
}

/** The Avro type of a field: the one it states, else the one that its JSON Schema asks for. */
function avroType(name: string, { schema, avro }: FieldRule): AvroType {
  if (avro) return avro.type;
  if (typeof schema.const === "string") return { type: "enum", name: "EventType", symbols: [schema.const] };
  if (schema.type === "string") return "string";
  if (schema.type === "integer") return "long";
  if (Array.isArray(schema.type) && schema.type.join() === "string,null") return ["null", "string"];
  throw new Error(`The field ${name} of an event must state its Avro type`);
}

function avroField([name, rule]: readonly [string, FieldRule]): AvroField {
  const type = avroType(name, rule);
  return {
    name,
    type,
    ...(rule.avro && { doc: rule.avro.doc }),
    // Lets a later revision add or drop the field: Pub/Sub asks that each revision can read what the others have written.
    ...(Array.isArray(type) && { default: null }),
  };
}

/** Derived from the one definition of an event; a message in its JSON encoding is what `encodeMessage` makes. */
export const eventAvroSchema: EventAvroSchema = {
  type: "record",
  name: "Event",
  namespace: "eventlogger",
  doc: "An accepted behaviour event",
  fields: Object.entries<FieldRule>(publishedFields).map(avroField),
};

/** The text of the schema: the same text for the same release, and one line, as revisions are compared by it. */
export const eventAvroDefinition: string = JSON.stringify(eventAvroSchema);
