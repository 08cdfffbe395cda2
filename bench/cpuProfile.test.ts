import assert from "node:assert/strict";
import { timeByPart, type Parts } from "./cpuProfile";

const node = (id: number, functionName: string, url: string, ...children: number[]) => ({
  id,
  callFrame: { functionName, url },
  children,
});

const PARTS: Parts = [
  ["validation", /\/validation\.js$/],
  ["publish", /\/publisher\.js$/],
  ["http", /\/routes\//],
];

describe("timeByPart", () => {
  it("timeByPart attributes time to the nearest known caller, and ignores idle time", () => {
    const times = timeByPart(
      {
        nodes: [
          node(1, "(root)", "", 2, 6, 7),
          node(2, "postEvent", "file:///app/routes/postEvent.js", 3, 4),
          node(3, "validate", "file:///app/validation.js"),
          node(4, "publishAll", "file:///app/publisher.js", 5),
          node(5, "nextTick", "node:internal/process/task_queues"),
          node(6, "(idle)", ""),
          node(7, "(garbage collector)", ""),
        ],
        samples: [2, 3, 4, 5, 6, 7, 1],
        timeDeltas: [1, 10, 100, 1000, 50_000, 7, 9],
      },
      PARTS,
    );
    assert.deepEqual(Object.fromEntries(times), {
      http: 1,
      validation: 10,
      publish: 1100,
      "garbage collection": 7,
      other: 9,
    });
  });
});
