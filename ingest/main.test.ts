import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";

function run(args: string[], env: Record<string, string> = {}): { status: number | null; out: string; err: string } {
  const main = join(packageRootOf(__filename), "dist", "main.js");
  const result = spawnSync(process.execPath, [main, ...args], { encoding: "utf8", env: { ...process.env, ...env } });
  return { status: result.status, out: result.stdout, err: result.stderr };
}

describe("ingest/main", () => {
  it("ingest --help prints every option with its environment variable, and examples", () => {
    const { status, out } = run(["--help"]);
    assert.equal(status, 0);
    const names = [
      "host",
      "port",
      "project",
      "topic",
      "dataset",
      "bigquery-endpoint",
      "publish-timeout",
      "max-in-flight",
    ];
    for (const name of [...names, "cache-ttl", "body-limit", "drain-timeout", "write-keys-file", "log-level"]) {
      assert.ok(out.includes(`--${name} `), name);
      assert.ok(out.includes(`[$${name.replaceAll("-", "_").toUpperCase()}]`), name);
    }
    assert.match(out, /Examples:/);
  });

  it("ingest reports all invalid options together and exits with 2", () => {
    const { status, err } = run(["--port", "99999", "--cache-ttl", "soon", "--earliest-event", "2010-02-30"], {
      LOG_LEVEL: "loud",
      WRITE_KEYS_FILE: "/nowhere/keys",
    });
    assert.equal(status, 2);
    assert.match(err, /--port \(PORT\)/);
    assert.match(err, /--cache-ttl \(CACHE_TTL\) must be a duration/);
    assert.match(err, /--earliest-event \(EARLIEST_EVENT\) must be a date .*, not "2010-02-30"/);
    assert.match(err, /--log-level \(LOG_LEVEL\) must be one of/);
    assert.match(err, /--write-keys-file \(WRITE_KEYS_FILE\) must name a key file: ENOENT/);
    assert.doesNotMatch(err, /at .*\.js/);
  });

  it("ingest reports options that have no effect without others", () => {
    const { status, err } = run(["--key-rate-limit", "5", "--address-rate-burst", "5", "--trusted-proxies", "nginx"]);
    assert.equal(status, 2);
    assert.match(err, /--key-rate-limit needs --write-keys-file or --read-keys-file/);
    assert.match(err, /--address-rate-burst needs --address-rate-limit/);
    assert.match(
      err,
      /--trusted-proxies \(TRUSTED_PROXIES\) must list addresses or networks .*\("nginx" is not valid\)/,
    );
  });

  it("ingest reports an address in use and exits with 1", async () => {
    const { createServer } = await import("node:net");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as { port: number };
      const { status, err } = run(["--port", String(port)], { PUBSUB_EMULATOR_HOST: "127.0.0.1:1" });
      assert.equal(status, 1);
      assert.match(err, /EADDRINUSE/);
    } finally {
      server.close();
    }
  });
});
