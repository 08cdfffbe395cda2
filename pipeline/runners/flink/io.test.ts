import assert from "node:assert/strict";
import { flowControl } from "./io";

describe("Flow control of the Pub/Sub source on Flink", () => {
  it("a worker with a small heap has fewer messages and bytes in flight than one with the default heap", () => {
    assert.deepEqual(flowControl(2048), { maxOutstanding: 100_000, maxOutstandingBytes: 256 * 2 ** 20 });
    assert.deepEqual(flowControl(256), { maxOutstanding: 16_384, maxOutstandingBytes: 32 * 2 ** 20 });
  });
});
