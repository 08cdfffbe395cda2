import assert from "node:assert/strict";
import { SEGMENT_NAMES, segmentPathProblem } from "./segmentPath";

describe("segmentPathProblem", () => {
  it("segmentPathProblem accepts paths of one or more parts", () => {
    for (const path of ["/v1", "/collect", "/a/b.c/d_e~f-1", "/...", "/V1"]) {
      assert.equal(segmentPathProblem(path), undefined, path);
    }
  });

  for (const path of ["", "/", "v1", "/v1/", "//v1", "/a//b", "/.", "/a/..", "/a b", "/a?b", "/a%20", "/:id", "/(a)"]) {
    it(`segmentPathProblem refuses ${JSON.stringify(path)}`, () => {
      assert.match(segmentPathProblem(path) ?? "", /^must be a path such as \/v1/);
    });
  }

  it("no two endpoints for Segment's libraries share a name", () => {
    const names = Object.values(SEGMENT_NAMES).flat();
    assert.equal(new Set(names).size, names.length);
  });
});
