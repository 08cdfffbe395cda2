import assert from "node:assert/strict";
import { validateEvent } from "@eventlogger/events/validation";
import { batchBodies, eventBodies } from "./eventBodies";

const START = Date.UTC(2026, 0, 31);

describe("eventBodies", () => {
  it("eventBodies creates valid, distinct events of about 300 bytes", () => {
    const body = eventBodies("run-1", START);
    const bodies = Array.from({ length: 50_000 }, (_, n) => body(n));
    const ids = new Set<string>();
    for (const text of bodies.filter((_, n) => n % 50 === 0)) {
      const result = validateEvent(JSON.parse(text), START + 50_000);
      if (!result.ok) assert.fail(JSON.stringify(result.errors));
      ids.add(result.event.event_id);
    }
    assert.equal(ids.size, 1000);
    const meanBytes = bodies.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / bodies.length;
    assert.ok(meanBytes > 290 && meanBytes < 310, `${meanBytes} bytes on average`);
  });

  it("batchBodies creates batches of the same events", () => {
    const body = eventBodies("run-1", START);
    const batch = batchBodies("run-1", START, 3);
    assert.deepEqual(
      JSON.parse(batch(1)),
      [3, 4, 5].map((n) => JSON.parse(body(n)) as unknown),
    );
  });
});
