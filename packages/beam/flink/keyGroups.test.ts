import assert from "node:assert/strict";
import { evenlySpreadKeys, keyGroupOf, MAX_PARALLELISM, subtaskOf } from "./keyGroups";

const encode = (key: Uint8Array): Uint8Array => Uint8Array.of(key.length, ...key);

describe("Flink's key groups", () => {
  it("keys have the groups and subtasks that Flink's KeyGroupRangeAssignment computes", () => {
    // Computed by Flink 1.15 with 128 key groups and 3 subtasks.
    const computed = { "0-0": [109, 2], "7-123": [80, 1], "15-9999": [70, 1], éx: [81, 1], "": [123, 2] };
    for (const [key, [group, subtask]] of Object.entries(computed)) {
      assert.equal(keyGroupOf(encode(Buffer.from(key))), group, key);
      assert.equal(subtaskOf(group as number, 3), subtask, key);
    }
  });

  it("evenly spread keys are divided among any number of subtasks with a difference of at most one", () => {
    for (const count of [2, 3, 16, MAX_PARALLELISM]) {
      const keys = evenlySpreadKeys(count);
      assert.equal(new Set(keys.map(String)).size, count);
      for (let parallelism = 1; parallelism <= count; parallelism++) {
        const perSubtask = new Array<number>(parallelism).fill(0);
        for (const key of keys) (perSubtask[subtaskOf(keyGroupOf(encode(key)), parallelism)] as number)++;
        assert(Math.max(...perSubtask) - Math.min(...perSubtask) <= 1, `${count} keys: ${perSubtask.join(", ")}`);
      }
    }
  });
});
