import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { trustedProxiesProblem } from "@eventlogger/options/httpOptions";
import { ClientIds } from "./clientAddress";

interface Asked {
  readonly peer: string | undefined;
  readonly forwarded?: string;
  readonly real?: string;
}

describe("ClientIds", () => {
  let warnings: number;
  let ids: ClientIds;
  beforeEach(() => {
    warnings = 0;
    ids = new ClientIds({ trustedProxies: ["10.0.0.0/8", "::1", "127.0.0.1"], onUntrustedProxy: () => warnings++ });
  });

  const id = ({ peer, forwarded, real }: Asked): number =>
    ids.of({
      headers: { "x-forwarded-for": forwarded, "x-real-ip": real },
      socket: { remoteAddress: peer },
    } as unknown as IncomingMessage);
  const direct = (peer: string): number => id({ peer });

  for (const [what, asked, client] of [
    ["the peer without a proxy", { peer: "192.0.2.1" }, "192.0.2.1"],
    ["the IPv4 address of a peer on an IPv6 socket", { peer: "::ffff:192.0.2.1" }, "192.0.2.1"],
    ["the client that a trusted proxy reports", { peer: "10.0.0.1", forwarded: "192.0.2.1" }, "192.0.2.1"],
    [
      "the client that a trusted proxy reports, not one that the client forges",
      { peer: "10.0.0.1", forwarded: "198.51.100.9, 192.0.2.1" },
      "192.0.2.1",
    ],
    [
      "the client behind several trusted proxies",
      { peer: "::1", forwarded: "6.6.6.6,192.0.2.1, 10.1.2.3 ,10.0.0.2" },
      "192.0.2.1",
    ],
    ["the client when the proxy adds a port", { peer: "10.0.0.1", forwarded: "192.0.2.1:5555" }, "192.0.2.1"],
    [
      "the client when the proxy writes IPv6 in brackets",
      { peer: "10.0.0.1", forwarded: "[2001:db8::1]:5555" },
      "2001:db8::1",
    ],
    ["the client in X-Real-IP", { peer: "127.0.0.1", real: "192.0.2.1" }, "192.0.2.1"],
    [
      "the client in X-Forwarded-For, not in X-Real-IP",
      { peer: "127.0.0.1", forwarded: "192.0.2.1", real: "6.6.6.6" },
      "192.0.2.1",
    ],
    ["the last proxy when all are trusted", { peer: "10.0.0.1", forwarded: "10.0.0.3, 10.0.0.2" }, "10.0.0.3"],
    [
      "the last address before an invalid one",
      { peer: "10.0.0.1", forwarded: "192.0.2.1, unknown, 10.0.0.2" },
      "10.0.0.2",
    ],
    ["the proxy when it reports nobody", { peer: "10.0.0.1", forwarded: "" }, "10.0.0.1"],
    ["the proxy when it reports an invalid address", { peer: "10.0.0.1", real: "localhost" }, "10.0.0.1"],
    ["the peer when it is not trusted", { peer: "192.0.2.1", forwarded: "6.6.6.6", real: "6.6.6.6" }, "192.0.2.1"],
  ] as const satisfies readonly (readonly [string, Asked, string])[]) {
    it(`ClientIds identifies ${what}`, () => assert.equal(id(asked), direct(client)));
  }

  it("ClientIds gives an id to a closed connection", () => assert.equal(id({ peer: undefined }), -1));

  it("ClientIds warns once about an untrusted proxy", () => {
    direct("192.0.2.1");
    id({ peer: "10.0.0.1", forwarded: "192.0.2.1" });
    assert.equal(warnings, 0);
    for (let i = 0; i < 3; i++) id({ peer: "192.0.2.1", forwarded: "192.0.2.7" });
    assert.equal(warnings, 1);
  });

  it("ClientIds names an invalid proxy in its error", () => {
    assert.equal(trustedProxiesProblem(["10.0.0.0/8", "fd00::/8", "::1"]), undefined);
    assert.match(trustedProxiesProblem(["10.0.0.0/8", "nginx"]) ?? "", /\("nginx" is not valid\)$/);
  });
});
