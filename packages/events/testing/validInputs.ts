import fc from "fast-check";
import type { JsonObject } from "../event";

const word = (max: number): fc.Arbitrary<string> => fc.string({ unit: "grapheme", minLength: 1, maxLength: max });
const optional = fc.option(fc.string({ unit: "grapheme", maxLength: 40 }), { nil: null });
/** Valid events as an app may send them at the time `now` (epoch ms). */
export const validInputs = (now: number): fc.Arbitrary<object> =>
  fc.record(
    {
      type: fc.constant("event"),
      event_id: word(20),
      session_id: word(20),
      event_name: word(20),
      event_time: fc.oneof(
        fc.integer({ min: 0, max: now + 86_400_000 }).map((ms) => new Date(ms).toISOString()),
        fc.integer({ min: 0, max: Math.floor(now / 1000) }),
        fc.double({ min: 0, max: now / 1000, noNaN: true }),
        fc.integer({ min: 1e11, max: now + 86_400_000 }),
      ),
      user_id: optional,
      anonymous_id: optional,
      page: optional,
      country: optional,
      region: optional,
      city: optional,
      app: optional,
      platform: optional,
      referrer: fc.oneof(optional, fc.webUrl(), fc.domain()),
      plan: fc
        .jsonValue({ maxDepth: 2, stringUnit: "grapheme" })
        .map((value) => JSON.parse(JSON.stringify(value)) as JsonObject),
      // One JSON round trip, as over HTTP, removes -0.
      properties: fc
        .dictionary(word(8), fc.jsonValue({ maxDepth: 4, stringUnit: "grapheme" }))
        .map((o) => JSON.parse(JSON.stringify(o)) as JsonObject)
        .filter((o) => JSON.stringify(o).length < 5000),
    },
    { requiredKeys: ["type", "session_id", "event_name", "event_time"] },
  );
