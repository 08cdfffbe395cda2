import assert from "node:assert/strict";
import { AddressHash } from "./addressHash";
import { parseIp } from "@eventlogger/options/ipAddress";

describe("AddressHash", () => {
  const hash = new AddressHash();
  const of = (text: string): number => {
    const address = parseIp(text);
    assert.ok(address, text);
    return hash.of(address);
  };

  it("AddressHash maps each IPv4 address and each /64 network of IPv6 to one number", () => {
    const clients: string[] = [];
    for (let i = 0; i < 256; i++) {
      for (const place of [0, 1, 2, 3]) {
        const bytes = [192, 0, 2, 1];
        bytes[place] = i;
        clients.push(bytes.join("."));
        const groups = ["2001", "db8", "1", "2"];
        groups[place] = i.toString(16);
        clients.push(`${groups.join(":")}::1`);
        groups[place] = (i * 256).toString(16);
        clients.push(`${groups.join(":")}::1`);
      }
    }
    const distinct = [...new Set(clients.map((text) => String(parseIp(text)?.join())))];
    const hashes = distinct.map((groups) => hash.of(groups.split(",").map(Number)));
    assert.equal(new Set(hashes).size, distinct.length);
    assert.ok(hashes.every((value) => Number.isSafeInteger(value) && value >= 0));
  });

  it("AddressHash gives the same number for all addresses of a client, in every notation", () => {
    assert.equal(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert.equal(of("192.0.2.1"), of("::ffff:192.0.2.1"));
  });

  it("AddressHash gives other numbers in another process", () => {
    assert.notEqual(new AddressHash().of(parseIp("192.0.2.1") ?? []), of("192.0.2.1"));
  });

  it("AddressHash uses all its bits", () => {
    const hashes = Array.from({ length: 256 }, (_, i) => BigInt(of(`192.0.2.${i}`)));
    assert.equal(
      hashes.reduce((all, each) => all | each),
      2n ** 53n - 1n,
    );
    assert.equal(
      hashes.reduce((all, each) => all & each),
      0n,
    );
  });
});
