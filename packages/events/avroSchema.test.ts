import assert from "node:assert/strict";
import { Type } from "avsc";
import fc from "fast-check";
import { eventAvroDefinition, eventAvroSchema } from "./avroSchema";
import { publishedFields } from "./eventSchema";
import { validInputs } from "./testing/validInputs";
import { validateEvent } from "./validation";
import { decodeMessage, encodeMessage } from "./eventMessage";

const NOW = Date.UTC(2024, 4, 17, 12);
const META = { messageId: "m", publishTime: NOW };

describe("Avro schema of an event", () => {
  const avro = Type.forSchema(JSON.parse(eventAvroDefinition) as Parameters<typeof Type.forSchema>[0]);
  /** Whether a message is the schema's JSON encoding, without unknown fields. */
  const accepts = (text: string): boolean => {
    try {
      avro.fromString(text);
      return Object.keys(JSON.parse(text) as object).length === eventAvroSchema.fields.length;
    } catch {
      return false;
    }
  };

  it("the Avro schema has each field of the event schema, and a default for each nullable field", () => {
    assert.deepEqual(
      eventAvroSchema.fields.map((field) => field.name),
      Object.keys(publishedFields),
    );
    const nullable = eventAvroSchema.fields.filter((field) => Array.isArray(field.type));
    assert.deepEqual(
      nullable.map((field) => field.name),
      [
        ...["original_event_time", "user_id", "anonymous_id", "page", "country", "region", "city"],
        ...["app", "platform", "referrer", "browser", "os"],
      ],
    );
    for (const field of nullable) assert.equal(field.default, null);
    assert.equal(eventAvroSchema.fields.find((field) => field.name === "is_bot")?.default, false);
  });

  it("the Avro schema accepts the message of every event and reads the same event from it", () => {
    fc.assert(
      fc.property(validInputs(NOW), (input) => {
        const validated = validateEvent(input, NOW);
        if (!validated.ok) assert.fail(JSON.stringify(validated.errors));
        const { data } = encodeMessage(validated.event);
        const read = avro.fromString(data.toString("utf8")) as Record<string, unknown>;
        const { event_time, properties, ...rest } = validated.event;
        assert.deepEqual(
          { ...read, event_time: Math.round(Number(read.event_time) * 1000), properties: undefined },
          { ...rest, event_time, properties: undefined },
        );
        assert.deepEqual(JSON.parse(read.properties as string), properties);
        const propertiesJson = JSON.stringify(properties);
        assert.deepEqual(decodeMessage(data, META), { ok: true, event: validated.event, propertiesJson });
      }),
      { numRuns: 1000 },
    );
  });

  it("the Avro schema rejects messages that are not events", () => {
    const validated = validateEvent({ type: "event", session_id: "s", event_name: "n", event_time: NOW }, NOW);
    assert.ok(validated.ok);
    const good = JSON.parse(encodeMessage(validated.event).data.toString("utf8")) as Record<string, unknown>;
    assert.ok(accepts(JSON.stringify(good)));
    for (const name of Object.keys(good)) {
      assert.ok(!accepts(JSON.stringify({ ...good, [name]: undefined })), `without ${name}`);
      for (const wrong of [name === "is_bot" ? "true" : true, [], {}, { string: 5 }, { long: "5" }]) {
        assert.ok(!accepts(JSON.stringify({ ...good, [name]: wrong })), `${name}: ${JSON.stringify(wrong)}`);
      }
    }
    for (const [name, wrong] of [
      ["type", "other"],
      ["session_id", null],
      ["event_time", "2024-05-17"],
      ["event_time", null],
      ["user_id", "u-1"],
      ["properties", null],
      ["properties", {}],
      ["received_at", 1.5],
      ["received_at", "1715947200000"],
      ["extra", 1],
    ] as const) {
      assert.ok(!accepts(JSON.stringify({ ...good, [name]: wrong })), `${name}: ${JSON.stringify(wrong)}`);
    }
    fc.assert(fc.property(fc.json(), (text) => assert.ok(!accepts(text))));
  });
});
