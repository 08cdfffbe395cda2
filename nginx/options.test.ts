import assert from "node:assert/strict";
import { ConfigError, readOptions } from "@eventlogger/options/options";
import { configOptions, nginxOptions, nginxOptionsProblems, type NginxOptions } from "./options";

const read = (env: Readonly<Record<string, string>>): NginxOptions =>
  readOptions(nginxOptions, {}, { UPSTREAMS: "api:3000", ...env }, nginxOptionsProblems);

describe("nginxOptions", () => {
  it("nginx options set no limits by default", () => {
    const config = configOptions(read({}));
    assert.equal(config.addressLimit, undefined);
    assert.equal(config.keyLimit, undefined);
    assert.equal(config.addressConcurrency, undefined);
    assert.equal(config.listenPort, 8080);
    assert.equal(config.accessLog, "/run/nginx/access.log");
    assert.equal(config.errorLog, "stderr");
  });

  it("nginx options reach the configuration", () => {
    const config = configOptions(
      read({
        HOST: "0.0.0.0",
        PORT: "80",
        DIRECTORY: "/tmp/n",
        BODY_LIMIT: "2048",
        BATCH_BODY_LIMIT: "4096",
        UPSTREAM_TIMEOUT: "20s",
        ADDRESS_REQUEST_LIMIT: "10",
        KEY_REQUEST_LIMIT: "20",
        KEY_REQUEST_BURST: "5",
        ADDRESS_CONCURRENCY: "8",
        TRUSTED_PROXIES: "10.0.0.0/8",
        CORS_ORIGINS: "https://shop.example",
        SEGMENT_PATH: "/collect",
        ACCESS_LOG: "stdout",
      }),
    );
    assert.deepEqual(config, {
      listenHost: "0.0.0.0",
      listenPort: 80,
      directory: "/tmp/n",
      accessLog: "/dev/stdout",
      errorLog: "stderr",
      bodyLimit: 2048,
      batchBodyLimit: 4096,
      upstreamTimeoutMs: 20_000,
      addressLimit: { perSecond: 10 },
      keyLimit: { perSecond: 20, burst: 5 },
      addressConcurrency: 8,
      trustedProxies: ["10.0.0.0/8"],
      corsOrigins: ["https://shop.example"],
      segmentPath: "/collect",
    });
    assert.equal(configOptions(read({ ACCESS_LOG: "off" })).accessLog, "off");
  });

  it("--dns-server accepts an address with and without a port", () => {
    for (const server of ["10.0.0.2", "10.0.0.2:53", "fd00::2", "[fd00::2]:53"]) read({ DNS_SERVER: server });
    for (const server of ["dns.example", "10.0.0.2:", "10.0.0", "[10.0.0.2"]) {
      assert.throws(() => read({ DNS_SERVER: server }), /--dns-server \(DNS_SERVER\) must be an IP address/, server);
    }
  });

  it("nginx reports all invalid options together", () => {
    const wrong = {
      UPSTREAMS: "api",
      PORT: "0",
      DIRECTORY: "here",
      ACCESS_LOG: "all",
      RESOLVE_INTERVAL: "1ms",
      TRUSTED_PROXIES: "proxy",
      KEY_REQUEST_LIMIT: "0.5",
      ADDRESS_REQUEST_BURST: "5",
    };
    assert.throws(
      () => read(wrong),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.problems.length, Object.keys(wrong).length, error.message);
        for (const name of Object.keys(wrong)) {
          assert.match(error.message, new RegExp(`--${name.toLowerCase().replaceAll("_", "-")} `));
        }
        return true;
      },
    );
  });
});
