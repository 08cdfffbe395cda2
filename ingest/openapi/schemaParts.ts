/** A JSON Schema, draft 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A reference to one of the schemas of the document. */
export const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

export const COUNT = { type: "integer", minimum: 0 };

/** An object with exactly these fields, all required but the optional ones. */
export function object(properties: Readonly<Record<string, JsonSchema>>, optional: readonly string[] = []): JsonSchema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, required, additionalProperties: false };
}

/** A list that is absent when it is empty. */
export function array(items: JsonSchema, description: string): JsonSchema {
  return { type: "array", minItems: 1, description, items };
}
