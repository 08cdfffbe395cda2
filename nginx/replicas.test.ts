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

  it("are all addresses of all names, sorted, each once", async () => {
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

  it("count once when they have addresses of both families", async () => {
    dns.set("api", ["10.0.0.2", "fd00::2"]);
    assert.deepEqual(await replicasOf(["api:3000"]).addresses(), ["10.0.0.2:3000"]);
  });

  it("come and go, without a cache in between", async () => {
    const replicas = replicasOf(["api:3000"]);
    for (const addresses of [["10.0.0.2"], ["10.0.0.2", "10.0.0.3"], ["10.0.0.3"]]) {
      dns.set("api", addresses);
      assert.deepEqual(
        await replicas.addresses(),
        addresses.map((address) => `${address}:3000`),
      );
    }
  });

  it("are kept while a name cannot be looked up or has no address, which is said once", async () => {
    const replicas = replicasOf(["api:3000", "other:3000"]);
    dns.set("other", ["10.0.0.9"]);
    assert.deepEqual(await replicas.addresses(), ["10.0.0.9:3000"]);
    assert.deepEqual(
      lines.map(({ upstream, error, msg }) => [upstream, error, msg]),
      [["api:3000", "ENOTFOUND", "not found: it has no replicas yet"]],
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
        [40, "not found: its replicas are kept as they were"],
        [30, "found"],
      ],
    );
  });

  it("are found by the system, too", async () => {
    assert.deepEqual(await replicasOf(["localhost:3000"], systemLookup).addresses(), ["127.0.0.1:3000"]);
  });
});

describe("sameAddresses", () => {
  it("compares length and members", () => {
    assert.ok(sameAddresses(["a", "b"], ["a", "b"]));
    assert.ok(!sameAddresses(["a", "b"], ["a"]));
    assert.ok(!sameAddresses(["a", "b"], ["a", "c"]));
  });
});
