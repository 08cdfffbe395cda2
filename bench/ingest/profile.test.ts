import assert from "node:assert/strict";
import { reportProfile, timeOfReplica } from "./profile";

const node = (id: number, functionName: string, url: string, ...children: number[]) => ({
  id,
  callFrame: { functionName, url },
  children,
});

describe("profile of a replica", () => {
  const times = timeOfReplica({
    nodes: [
      node(1, "(root)", "", 2, 6, 7),
      node(2, "postEvent", "file:///app/ingest/dist/routes/postEvent.js", 3, 4),
      node(3, "validate", "file:///app/packages/events/dist/validation.js"),
      node(4, "publishAll", "file:///app/ingest/dist/publishing/publisher.js", 5),
      node(5, "nextTick", "node:internal/process/task_queues"),
      node(6, "(idle)", ""),
      node(7, "(garbage collector)", ""),
    ],
    samples: [2, 3, 4, 5, 6, 7, 1],
    timeDeltas: [1, 10, 100, 1000, 50_000, 7, 9],
  });

  it("the CPU time of a replica is attributed to HTTP, validation and publishing", () => {
    assert.deepEqual(Object.fromEntries(times), {
      http: 1,
      validation: 10,
      publish: 1100,
      "garbage collection": 7,
      other: 9,
    });
  });

  it("reportProfile reports the time per event", () => {
    const lines = reportProfile(times, 10).split("\n");
    assert.match(lines[1] ?? "", /publish +110\.0$/);
    assert.match(lines.at(-1) ?? "", /together: 111\.0$/);
  });
});
