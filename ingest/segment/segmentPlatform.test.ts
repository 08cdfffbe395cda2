import assert from "node:assert/strict";
import { segmentPlatform } from "./segmentPlatform";

describe("segmentPlatform", () => {
  for (const [platform, context] of [
    ["web", { library: { name: "analytics.js", version: "npm:next-1.84.3" }, userAgent: "Mozilla/5.0" }],
    ["server", { library: { name: "@segment/analytics-node" } }],
    ["server", { library: { name: "analytics-python" } }],
    ["server", { library: { name: "analytics-java" } }],
    ["server", { library: { name: "analytics-go" } }],
    ["ios", { library: { name: "analytics-swift" } }],
    ["android", { library: { name: "analytics-kotlin" } }],
    ["ios", { library: { name: "analytics-react-native" }, os: { name: "iPadOS" } }],
    ["android", { library: { name: "@segment/analytics-node" }, device: { type: "android" } }],
    [undefined, { library: { name: "analytics-python" }, userAgent: "Mozilla/5.0" }],
    [undefined, { library: { name: "something" }, os: { name: "constructor" } }],
    [undefined, { library: "analytics.js", os: [], device: null }],
    [undefined, "web"],
    [undefined, null],
    [undefined, undefined],
  ] as const) {
    it(`segmentPlatform reads ${String(platform)} from ${JSON.stringify(context)}`, () => {
      assert.equal(segmentPlatform(context), platform);
    });
  }
});
