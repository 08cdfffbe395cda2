import assert from "node:assert/strict";
import { renderNginxConfig, type NginxConfigOptions } from "./render";

const render = (options: Partial<NginxConfigOptions> = {}): string =>
  renderNginxConfig({
    listenPort: 3000,
    upstreams: ["127.0.0.1:3001", "127.0.0.1:3002"],
    directory: "/tmp/some where",
    ...options,
  });

describe("renderNginxConfig", () => {
  it("renderNginxConfig writes every upstream, the listener, and the directory in quotes", () => {
    const config = render();
    assert.match(config, /server 127\.0\.0\.1:3001 [^]*server 127\.0\.0\.1:3002 /);
    assert.match(config, /listen 127\.0\.0\.1:3000;/);
    assert.match(config, /pid "\/tmp\/some where\/nginx\.pid";/);
  });

  it("renderNginxConfig replaces all placeholders and keeps nginx's own variables", () => {
    const config = render();
    assert.doesNotMatch(config.replace(/^#.*$/gm, ""), /\$\{/);
    assert.match(config, /"status":\$status/);
    assert.match(config, /Host \$http_host;/);
  });

  it("renderNginxConfig listens on other addresses and names other hosts, for containers", () => {
    const config = render({ listenHost: "0.0.0.0", upstreams: ["ingest:3001", "[fd00::5]:3000"] });
    assert.match(config, /listen 0\.0\.0\.0:3000;/);
    assert.match(config, /server ingest:3001 [^]*server \[fd00::5\]:3000 /);
  });

  it("renderNginxConfig listens on IPv6 and logs to the configured files", () => {
    const config = render({ listenHost: "::", accessLog: "/dev/stdout", errorLog: "stderr" });
    assert.match(config, /listen \[::\]:3000;/);
    assert.match(config, /access_log "\/dev\/stdout" json/);
    assert.match(config, /error_log "stderr" alert;/);
    assert.match(render({ accessLog: "off" }), /access_log off;/);
    assert.match(render(), /access_log "\/tmp\/some where\/access\.log" json/);
  });

  it("renderNginxConfig lets replaced workers run longer than the upstream timeout", () => {
    assert.match(render({ upstreamTimeoutMs: 20_000 }), /worker_shutdown_timeout 40000ms;/);
  });

  it("renderNginxConfig adds CORS headers only with --cors-origins", () => {
    assert.doesNotMatch(render(), /Access-Control|cors_/);
    assert.match(render({ corsOrigins: ["*", "https://a.example"] }), /Access-Control-Allow-Origin "\*" always/);
    assert.match(render({ corsOrigins: ["https://a.example"] }), /"https:\/\/a\.example" \$http_origin;/);
  });

  it("renderNginxConfig knows the paths of Segment's libraries, behind any path", () => {
    assert.match(render(), /location ~ \^\(\/events\|\/v1\/\(batch\|b\|import\)\)\/\?\$ \{/);
    assert.match(render({ segmentPath: "/a.b/c" }), /\|\/a\\\.b\/c\/\(batch\|b\|import\)/);
    assert.doesNotMatch(render({ segmentPath: "/a" }), /\/v1\//);
  });

  it("renderNginxConfig refuses invalid values", () => {
    assert.throws(() => render({ upstreams: [] }), /at least one upstream/);
    assert.throws(
      () => render({ addressLimit: { perSecond: 0.5 } }),
      /limit per address must be a whole number above 0/,
    );
    assert.throws(() => render({ keyLimit: { perSecond: 1, burst: -1 } }), /burst per key must be a whole number/);
    assert.throws(() => render({ trustedProxies: ["10.0.0.0/8; }"] }), /trustedProxies must be addresses/);
    assert.throws(
      () => render({ upstreams: ["a:1; }"] }),
      /upstreams must list upstreams such as .*\("a:1; }" is not valid\)/,
    );
    assert.throws(() => render({ corsOrigins: ['https://a"b'] }), /corsOrigins must not contain quotes/);
    for (const segmentPath of ["v1", "/v1/", "/", "", "/a b", "/a{", "/a|b", "/..", "/a/../b", "/a$uri", '/a"']) {
      assert.throws(() => render({ segmentPath }), /segmentPath must be a path such as \/v1/, segmentPath);
    }
    assert.throws(() => render({ accessLog: "somewhere" }), /accessLog must be an absolute path/);
    assert.throws(() => render({ directory: "relative" }), /absolute path, not relative/);
    assert.throws(() => render({ directory: '/tmp/a"b' }), /must not contain quotes/);
    assert.throws(() => render({ directory: "/tmp/$uri" }), /must not contain quotes, \$/);
  });
});
