import assert from "node:assert/strict";
import { FakeRegistry } from "@eventlogger/gcp/testing/fakeRegistry";
import { FakeServer, googleError } from "@eventlogger/gcp/testing/fakeServer";
import { checkImage, WORKER_LABEL, type ImageCheck } from "./checkImage";

describe("checkImage", () => {
  const registry = new FakeRegistry();
  const good = { labels: { [WORKER_LABEL]: "1.2.3" } };
  let server: FakeServer;
  before(async () => {
    server = await FakeServer.start([registry.service]);
    registry.add("team/worker", "good", good);
    registry.add("team/worker", "older", { labels: { [WORKER_LABEL]: "1.2.2" } });
    registry.add("team/worker", "other", { labels: { maintainer: "x" } });
    registry.add("team/worker", "bare", {});
    registry.add("team/worker", "arm", { ...good, architecture: "arm64" });
    registry.addIndex("team/worker", "both", [{ ...good, architecture: "arm64" }, good]);
    registry.addIndex("team/worker", "index-arm", [{ ...good, architecture: "arm64" }]);
  });
  after(() => server.stop());
  afterEach(() => {
    server.reset();
    registry.token = undefined;
    registry.blobsAt = undefined;
  });

  const name = (tag: string): string => `${server.url.slice("http://".length)}/team/worker:${tag}`;
  const check = (tag: string, more: Partial<ImageCheck> = {}): Promise<readonly string[]> =>
    checkImage(
      { image: name(tag), version: "1.2.3", ...more },
      () => assert.fail("a token for Google is not for other registries"),
      AbortSignal.timeout(5000),
    ).then(({ problems, warnings }) => {
      assert.deepEqual(warnings, []);
      return problems;
    });

  it("accepts an image of this version, with and without an index", async () => {
    assert.deepEqual(await check("good"), []);
    assert.deepEqual(await check("both"), []);
  });

  it("reports an image that does not exist", async () => {
    assert.match(
      (await check("none")).join(),
      /Image localhost:\d+\/team\/worker:none does not exist .*npm run images/,
    );
    assert.match((await check("x", { image: name("x").replace("team", "no") })).join(), /Image .* does not exist/);
  });

  it("reports images without this package or with another version of it", async () => {
    for (const tag of ["other", "bare"]) {
      assert.match(
        (await check(tag)).join(),
        /does not contain this package .*org\.eventlogger\.worker.*npm run images/,
      );
    }
    assert.match((await check("older")).join(), /contains version 1\.2\.2, but this is version 1\.2\.3/);
  });

  it("reports images for other processors than the workers have", async () => {
    assert.match((await check("arm")).join(), /is for linux\/arm64, but the workers are linux\/amd64/);
    assert.match((await check("index-arm")).join(), /is for linux\/arm64, but the workers are linux\/amd64/);
    assert.match((await check("good", { machineType: "t2a-standard-2" })).join(), /workers are linux\/arm64/);
    assert.deepEqual(await check("index-arm", { machineType: "c4a-standard-2" }), []);
  });

  it("gets a token when the registry requires one", async () => {
    registry.token = "pull-token";
    assert.deepEqual(await check("both"), []);
    const [asked] = server.requestsTo(/^GET \/token/);
    assert.deepEqual(Object.fromEntries(asked?.query ?? []), { service: "fake", scope: "repository:team/worker:pull" });
  });

  it("follows redirects of blobs without sending the token of the registry", async () => {
    registry.token = "pull-token";
    const blobs = await FakeServer.start([
      (request) => {
        const { token, blobsAt } = registry;
        Object.assign(registry, { token: undefined, blobsAt: undefined });
        const answer = registry.service(request);
        Object.assign(registry, { token, blobsAt });
        return answer;
      },
    ]);
    try {
      registry.blobsAt = blobs.url;
      assert.deepEqual(await check("good"), []);
      assert.equal(blobs.requests.length, 1);
      assert.equal(blobs.requests[0]?.headers.authorization, undefined);
    } finally {
      await blobs.stop();
    }
  });

  it("throws when the registry does not return the image", async () => {
    server.fail({ match: /manifests/, answer: googleError(503, "busy") });
    await assert.rejects(check("good"), /HTTP 503/);
    server.reset();
    server.fail({ match: /manifests/, answer: { status: 403 } });
    await assert.rejects(check("good"), /HTTP 403/);
  });

  it("reports an invalid image name", async () => {
    assert.match(
      (await check("x", { image: "https://gcr.io/x" })).join(),
      /is not a valid name of a container image \(--image\)/,
    );
  });
});
