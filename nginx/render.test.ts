import assert from "node:assert/strict";
import { renderNginxConfig, type NginxConfigOptions } from "./render";

const render = (options: Partial<NginxConfigOptions> = {}): string =>
  renderNginxConfig({ listenPort: 3000, upstreamPorts: [3001, 3002], directory: "/tmp/some where", ...options });

describe("renderNginxConfig", () => {
  it("names every upstream, the listener, and the directory in quotes", () => {
    const config = render();
    assert.match(config, /server 127\.0\.0\.1:3001 [^]*server 127\.0\.0\.1:3002 /);
    assert.match(config, /listen 127\.0\.0\.1:3000;/);
    assert.match(config, /pid "\/tmp\/some where\/nginx\.pid";/);
  });

  it("leaves no placeholder, and nginx's own variables alone", () => {
    const config = render();
    assert.doesNotMatch(config.replace(/^#.*$/gm, ""), /\$\{/);
    assert.match(config, /"status":\$status/);
    assert.match(config, /Host \$http_host;/);
  });

  it("can listen and reach elsewhere, for containers", () => {
    const config = render({ listenHost: "0.0.0.0", upstreamHost: "ingest" });
    assert.match(config, /listen 0\.0\.0\.0:3000;/);
    assert.match(config, /server ingest:3001 /);
  });

  it("refuses what cannot work", () => {
    assert.throws(() => render({ upstreamPorts: [] }), /at least one upstream/);
    assert.throws(
      () => render({ addressLimit: { perSecond: 0.5 } }),
      /limit per address must be a whole number above 0/,
    );
    assert.throws(() => render({ keyLimit: { perSecond: 1, burst: -1 } }), /burst per key must be a whole number/);
    assert.throws(() => render({ trustedProxies: ["10.0.0.0/8; }"] }), /trustedProxies must be addresses/);
    assert.throws(() => render({ directory: "relative" }), /absolute path, not relative/);
    assert.throws(() => render({ directory: '/tmp/a"b' }), /must not contain quotes/);
    assert.throws(() => render({ directory: "/tmp/$uri" }), /must not contain quotes, \$/);
  });
});
