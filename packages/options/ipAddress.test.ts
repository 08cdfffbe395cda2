import assert from "node:assert/strict";
import { BlockList, isIPv6 } from "node:net";
import fc from "fast-check";
import { isWithin, parseIp, parseNetwork } from "./ipAddress";

describe("parseIp", () => {
  it("parses an IP address in every notation", () => {
    for (const [text, groups] of [
      ["1.2.3.4", [0, 0, 0, 0, 0, 0xffff, 0x0102, 0x0304]],
      ["::ffff:1.2.3.4", [0, 0, 0, 0, 0, 0xffff, 0x0102, 0x0304]],
      ["::FFFF:102:304", [0, 0, 0, 0, 0, 0xffff, 0x0102, 0x0304]],
      ["::", [0, 0, 0, 0, 0, 0, 0, 0]],
      ["::1", [0, 0, 0, 0, 0, 0, 0, 1]],
      ["2001:db8::", [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0]],
      ["fe80::1%eth0", [0xfe80, 0, 0, 0, 0, 0, 0, 1]],
      ["1:2:3:4:5:6:7:8", [1, 2, 3, 4, 5, 6, 7, 8]],
      ["1::3:4:5:6:7:8", [1, 0, 3, 4, 5, 6, 7, 8]],
    ] as const) {
      assert.deepEqual(parseIp(text), groups, text);
    }
  });

  it("returns undefined for text that is not an IP address", () => {
    for (const text of [
      "",
      "unknown",
      "_hidden",
      "1.2.3",
      "1.2.3.256",
      "1.2.3.4:80",
      "[::1]",
      "1::2::3",
      "x".repeat(1e5),
    ]) {
      assert.equal(parseIp(text), undefined);
    }
  });
});

describe("isWithin", () => {
  it("agrees with Node's BlockList for any network and address", () => {
    const near = (text: string, flips: readonly number[]): string => {
      const groups = [...(parseIp(text) ?? [])];
      for (const bit of flips) groups[bit >> 4] = (groups[bit >> 4] ?? 0) ^ (0x8000 >> (bit & 15));
      return groups.map((group) => group.toString(16)).join(":");
    };
    fc.assert(
      fc.property(
        fc.ipV6(),
        fc.integer({ min: 1, max: 128 }),
        fc.array(fc.nat(127), { maxLength: 2 }),
        (text, bits, flips) => {
          fc.pre(isIPv6(text));
          // Node treats IPv4-mapped IPv6 addresses as IPv4.
          fc.pre(
            parseIp(text)
              ?.slice(0, 5)
              .some((group) => group !== 0) ?? false,
          );
          const list = new BlockList();
          list.addSubnet(text, bits, "ipv6");
          const network = parseNetwork(`${text}/${bits}`);
          const other = near(text, flips);
          const ip = parseIp(other);
          assert.ok(network && ip);
          assert.equal(isWithin(network, ip), list.check(other, "ipv6"));
        },
      ),
    );
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 1, max: 32 }), fc.ipV4(), (text, bits, other) => {
        const list = new BlockList();
        list.addSubnet(text, bits, "ipv4");
        const network = parseNetwork(`${text}/${bits}`);
        const ip = parseIp(other);
        assert.ok(network && ip);
        assert.equal(isWithin(network, ip), list.check(other, "ipv4"));
        assert.ok(isWithin(network, parseIp(`::ffff:${text}`) ?? []));
      }),
    );
  });

  it("matches every address with /0, and only itself without a prefix length", () => {
    const within = (network: string, ip: string): boolean => {
      const parsed = parseNetwork(network);
      assert.ok(parsed, network);
      return isWithin(parsed, parseIp(ip) ?? []);
    };
    assert.ok(within("0.0.0.0/0", "9.9.9.9") && !within("0.0.0.0/0", "2001::1") && within("::/0", "9.9.9.9"));
    assert.ok(within("127.0.0.1", "127.0.0.1") && !within("127.0.0.1", "127.0.0.2"));
    for (const wrong of ["", "/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/8/8", "loopback", "10.0.0/8"]) {
      assert.equal(parseNetwork(wrong), undefined, wrong);
    }
  });
});
