import assert from "node:assert/strict";
import { pino, type Logger } from "pino";
import { dnsLookup, Replicas, sameAddresses, systemLookup, type Lookup } from "./replicas";
import { startDnsServer, type TestDnsServer } from "./testing/dnsServer";
import { parseUpstream } from "./upstreams";

describe("Replicas", () => {
  let dns: TestDnsServer;
  let lines: { readonly level: number; readonly msg: string; readonly upstream: string; readonly error?: string }[];
  let logger: Logger;
  beforeEach(async () => {
    dns = await startDnsServer();
    lines = [];
    logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]) });
  });
  afterEach(() => dns.close());

  const replicasOf = (upstreams: readonly string[], find: Lookup = dnsLookup(dns.address)): Replicas =>
    new Replicas(
      upstreams.flatMap((upstream) => parseUpstream(upstream) ?? []),
      find,
      logger,
    );

  it("Replicas returns the addresses of all names, sorted and without duplicates", async () => {
    dns.set("api", ["10.0.0.3", "10.0.0.2"]);
    dns.set("other.internal", ["10.0.0.3"]);
    dns.set("six", ["fd00::5"]);
    const replicas = replicasOf(["api:3000", "other.internal:3000", "10.0.0.9:3000", "six:3000", "[fd00::7]:3001"]);
    assert.deepEqual(await replicas.addresses(), [
      "10.0.0.2:3000",
      "10.0.0.3:3000",
      "10.0.0.9:3000",
      "[fd00::5]:3000",
      "[fd00::7]:3001",
    ]);
    assert.deepEqual(lines, []);
  });

  it("Replicas counts a replica with IPv4 and IPv6 addresses once", async () => {
    dns.set("api", ["10.0.0.2", "fd00::2"]);
    assert.deepEqual(await replicasOf(["api:3000"]).addresses(), ["10.0.0.2:3000"]);
  });

  it("Replicas follows added and removed addresses without caching", async () => {
    const replicas = replicasOf(["api:3000"]);
    for (const addresses of [["10.0.0.2"], ["10.0.0.2", "10.0.0.3"], ["10.0.0.3"]]) {
      dns.set("api", addresses);
      assert.deepEqual(
        await replicas.addresses(),
        addresses.map((address) => `${address}:3000`),
      );
    }
  });

  it("Replicas keeps the addresses of a name whose lookup fails, and logs the failure once", async () => {
    const replicas = replicasOf(["api:3000", "other:3000"]);
    dns.set("other", ["10.0.0.9"]);
    assert.deepEqual(await replicas.addresses(), ["10.0.0.9:3000"]);
    assert.deepEqual(
      lines.map(({ upstream, error, msg }) => [upstream, error, msg]),
      [["api:3000", "ENOTFOUND", "lookup failed: no replicas yet"]],
    );
    dns.set("api", ["10.0.0.2"]);
    await replicas.addresses();
    lines.length = 0;
    for (const state of ["fails", [], []] as const) {
      dns.set("api", state);
      assert.deepEqual(await replicas.addresses(), ["10.0.0.2:3000", "10.0.0.9:3000"]);
    }
    dns.set("api", ["10.0.0.4"]);
    assert.deepEqual(await replicas.addresses(), ["10.0.0.4:3000", "10.0.0.9:3000"]);
    assert.deepEqual(
      lines.map(({ level, msg }) => [level, msg]),
      [
        [40, "lookup failed: keeping the last addresses"],
        [30, "lookup works again"],
      ],
    );
  });

  it("Replicas finds addresses with the resolver of the system", async () => {
    assert.deepEqual(await replicasOf(["localhost:3000"], systemLookup).addresses(), ["127.0.0.1:3000"]);
  });
});

describe("sameAddresses", () => {
  it("sameAddresses compares length and members", () => {
    assert.ok(sameAddresses(["a", "b"], ["a", "b"]));
    assert.ok(!sameAddresses(["a", "b"], ["a"]));
    assert.ok(!sameAddresses(["a", "b"], ["a", "c"]));
  });
});
