import assert from "node:assert/strict";
import { corsOriginsProblem } from "@eventlogger/options/httpOptions";

describe("corsOriginsProblem", () => {
  it("corsOriginsProblem accepts origins as browsers write them, and *", () => {
    assert.equal(corsOriginsProblem([]), undefined);
    assert.equal(corsOriginsProblem(["*"]), undefined);
    assert.equal(corsOriginsProblem(["https://shop.example", "http://127.0.0.1:8080", "http://[::1]:80"]), undefined);
  });

  for (const wrong of [
    "shop.example",
    "https://shop.example/",
    "https://*.example",
    "ftp://x",
    "https://u@x",
    "null",
  ]) {
    it(`corsOriginsProblem names the invalid origin ${wrong}`, () => {
      assert.match(
        corsOriginsProblem(["https://right.example", wrong]) ?? "",
        /^must list origins such as .* is not valid\)$/,
      );
      assert.ok(corsOriginsProblem([wrong])?.includes(`"${wrong}"`));
    });
  }
});
