import assert from "node:assert/strict";
import { formatUpstream, parseUpstream } from "./upstreams";

describe("Upstreams", () => {
  it("parseUpstream accepts names and addresses with ports", () => {
    for (const text of ["api:3000", "my_project-api.internal:80", "a:1", "127.0.0.2:65535", "[fd00::5]:3000"]) {
      const upstream = parseUpstream(text);
      assert.ok(upstream, text);
      assert.equal(formatUpstream(upstream), text);
    }
    assert.deepEqual(parseUpstream("[::1]:80"), { host: "::1", port: 80 });
  });

  it("parseUpstream rejects everything else", () => {
    const wrong = [
      "",
      "api",
      "api:",
      ":80",
      "api:0",
      "api:65536",
      "fd00::5:80",
      "[api]:80",
      "a b:80",
      "a;:80",
      "-a:80",
    ];
    for (const text of wrong) assert.equal(parseUpstream(text), undefined, text);
  });
});
