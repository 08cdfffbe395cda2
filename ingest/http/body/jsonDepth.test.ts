import assert from "node:assert/strict";
import fc from "fast-check";
import { isNestedDeeper } from "./jsonDepth";

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

describe("isNestedDeeper", () => {
  it("isNestedDeeper agrees with the depth of the parsed value, for any brackets and quotes in strings", () => {
    const text = fc.string({ unit: fc.constantFrom("[", "]", "{", "}", '"', "\\", "a", "é") });
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ maxDepth: 6 }, text, fc.integer(), fc.array(tie("tree")), fc.dictionary(text, tie("tree"))),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        const json = Buffer.from(`xx${JSON.stringify(value)}[[[[[`);
        const depth = depthOf(value);
        assert.equal(isNestedDeeper(json, depth, 2, json.length - 5), false);
        if (depth > 0) assert.equal(isNestedDeeper(json, depth - 1, 2, json.length - 5), true);
      }),
    );
  });
});
