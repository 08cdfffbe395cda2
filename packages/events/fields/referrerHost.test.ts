import assert from "node:assert/strict";
import fc from "fast-check";
import { referrerHost } from "./referrerHost";

describe("referrerHost", () => {
  const hosts: [string, string | null | undefined][] = [
    ["https://www.Search.example/path?q=secret#part", "www.search.example"],
    ["http://user:password@shop.example:8080/", "shop.example"],
    ["//cdn.example/x", "cdn.example"],
    ["search.example", "search.example"],
    ["Search.example/path?q=1", "search.example"],
    ["localhost:3000", "localhost"],
    ["localhost", "localhost"],
    ["https://münchen.example/", "xn--mnchen-3ya.example"],
    ["http://[2001:db8::1]/", "[2001:db8::1]"],
    ["android-app://com.example.Mail/", "com.example.mail"],
    ["", null],
    ["  ", null],
    ["about:client", undefined],
    ["mailto:a@b.example", undefined],
    ["not a host", undefined],
    ["/only/a/path", undefined],
    ["-", undefined],
    [`https://${"x".repeat(254)}/`, undefined],
  ];
  for (const [text, expected] of hosts) {
    it(`the referrer ${JSON.stringify(text.slice(0, 60))} becomes ${String(expected)}`, () => {
      assert.equal(referrerHost(text), expected);
    });
  }

  it("a host is never longer than 253 characters, is well-formed, and is its own host, for any text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl({ withQueryParameters: true }), fc.string({ unit: "binary" })), (text) => {
        const host = referrerHost(text);
        if (typeof host !== "string") return;
        assert.ok(host.length > 0 && host.length <= 253);
        assert.equal(Buffer.from(host).toString(), host);
        assert.equal(referrerHost(host), host);
      }),
    );
  });
});
