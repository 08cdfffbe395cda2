import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { eventually } from "../testing/fixture";
import { RequestError } from "../http/errors";
import { appDeps, useAppServer, type AppServer } from "../testing/appServer";
import { metricsOf } from "../testing/metrics";
import { errorsOf, post, postBatch, sampleEvent } from "../testing/requests";
import type { AccessSettings } from "./accessControl";
import { KeySet } from "./keys/keySet";

describe("rate limits", () => {
  const serveWith = useAppServer();
  const serve = (access: Partial<AccessSettings>): Promise<AppServer> =>
    serveWith({ access: { ...appDeps().access, trustedProxies: ["127.0.0.1"], ...access } });
  const writeKeys = new KeySet([
    { name: "shop", key: "old" },
    { name: "shop", key: "new" },
    { name: "app", key: "app" },
  ]);
  /** Slow enough that nothing is refilled within a test. */
  const rate = { perSec: 0.01, burst: 3 };
  const from = (address: string): Record<string, string> => ({ "x-forwarded-for": address });
  const batch = (n: number): unknown[] => Array.from({ length: n }, () => sampleEvent());
  const statuses = async (n: number, send: () => Promise<Response>): Promise<number[]> => {
    const all: number[] = [];
    for (let i = 0; i < n; i++) all.push((await send()).status);
    return all;
  };

  it("the address rate limit applies to each client behind a trusted proxy", async () => {
    const { url } = await serve({ addressRate: rate });
    assert.deepEqual(await statuses(5, () => post(url, sampleEvent(), from("192.0.2.1"))), [204, 204, 204, 429, 429]);
    assert.deepEqual(await statuses(4, () => post(url, sampleEvent(), from("192.0.2.2"))), [204, 204, 204, 429]);
    // A client that says it is another one stays who it is.
    assert.equal((await post(url, sampleEvent(), from("192.0.2.99, 192.0.2.1"))).status, 429);
  });

  it("a rate limit answers 429 with an error body and Retry-After", async () => {
    const { url } = await serve({ addressRate: rate });
    await statuses(3, () => post(url, sampleEvent()));
    const refused = await post(url, sampleEvent());
    assert.equal(refused.status, 429);
    const wait = Number(refused.headers.get("retry-after"));
    assert.ok(wait > 90 && wait <= 100, String(wait));
    assert.deepEqual(await errorsOf(refused), [
      { field: "", message: "Rate limit for this address exceeded; nothing was accepted, retry later" },
    ]);
  });

  it("an address that sends too many new anonymous ids gets 429 that names the field, and may go on with those it has sent", async () => {
    const { url } = await serve({ addressNewIds: rate });
    const send = (anonymous_id: string | null, address = "192.0.2.1"): Promise<Response> =>
      post(url, sampleEvent({ anonymous_id }), from(address));
    let next = 0;
    assert.deepEqual(await statuses(5, () => send(`a-${next++}`)), [204, 204, 204, 429, 429]);
    const refused = await send("a-9");
    assert.ok(Number(refused.headers.get("retry-after")) > 90);
    const message =
      "must not be a new one that often: limit for this address exceeded; nothing was accepted, retry later";
    assert.deepEqual(await errorsOf(refused), [{ field: "anonymous_id", message }]);
    // Neither ids that were accepted nor events without one count.
    assert.deepEqual(await statuses(3, () => send("a-0")), [204, 204, 204]);
    assert.deepEqual(await statuses(3, () => send(null)), [204, 204, 204]);
    assert.equal((await send("a-9", "192.0.2.2")).status, 204);
  });

  it("a batch is charged for each new anonymous id once, and is accepted as a whole or refused as a whole", async () => {
    const { url } = await serve({ writeKeys, keyNewIds: rate });
    const headers = { "x-write-key": "app" };
    const send = (...ids: string[]): Promise<Response> =>
      postBatch(
        url,
        ids.map((anonymous_id) => sampleEvent({ anonymous_id })),
        headers,
      );
    assert.equal((await send("a", "b", "a", "b", "a")).status, 200);
    assert.equal((await send("c", "d", "e")).status, 200);
    assert.equal((await send("a", "f")).status, 429);
    assert.equal((await send("a", "e")).status, 200);
    assert.equal((await postBatch(url, [sampleEvent({ anonymous_id: "f" })], { "x-write-key": "new" })).status, 200);
    assert.equal((await send("f")).status, 200);
  });

  it("a rate limit refills over time", async () => {
    const { url } = await serve({ addressRate: { perSec: 0.5, burst: 1 } });
    assert.deepEqual(await statuses(2, () => post(url, sampleEvent())), [204, 429]);
    await eventually(async () => (await post(url, sampleEvent())).status === 204, "204");
  });

  it("the key rate limit applies per key name, shared by all keys of the name", async () => {
    const { url } = await serve({ writeKeys, keyRate: rate });
    assert.deepEqual(await statuses(2, () => post(url, sampleEvent(), { "x-write-key": "old" })), [204, 204]);
    assert.deepEqual(await statuses(2, () => post(url, sampleEvent(), { "x-write-key": "new" })), [204, 429]);
    assert.equal((await post(url, sampleEvent(), { authorization: "Bearer app" })).status, 204);
  });

  it("a rate limit counts valid and invalid events of a batch; one batch may exceed it, and later requests wait", async () => {
    for (const access of [{ addressRate: rate }, { writeKeys, keyRate: rate }]) {
      const { url } = await serve(access);
      const headers = { "x-write-key": "app" };
      assert.equal((await postBatch(url, [...batch(8), {}, {}], headers)).status, 200);
      const refused = await post(url, sampleEvent(), headers);
      assert.equal(refused.status, 429);
      // 3 at first, 10 taken: 8 are missing until there is one.
      const wait = Number(refused.headers.get("retry-after"));
      assert.ok(wait > 790 && wait <= 800, String(wait));
    }
  });

  it("a rate limit admits a batch of any size while one token is left", async () => {
    const { url } = await serve({ addressRate: { perSec: 0.01, burst: 1 } });
    assert.equal((await postBatch(url, batch(10))).status, 200);
    assert.equal((await postBatch(url, batch(1))).status, 429);
  });

  for (const limited of ["addressRate", "keyRate"] as const) {
    it(`a rate limit admits one of many concurrent batches and no event of the others (${limited})`, async () => {
      let published = 0;
      const { publisher } = appDeps();
      const { url } = await serveWith({
        access: { ...appDeps().access, writeKeys, [limited]: { perSec: 0.01, burst: 20 } },
        publisher: { ...publisher, publishAll: async (messages) => void (published += messages.length) },
      });
      const headers = { "content-type": "application/json", "x-write-key": "app" };
      const requests = Array.from({ length: 10 }, () => request(`${url}/events/`, { method: "POST", headers }));
      const answers = requests.map((each) => once(each, "response") as Promise<[IncomingMessage]>);
      // All are admitted, with one token each, before any of them has been read.
      for (const each of requests) each.write("[");
      await eventually(async () => (await metricsOf(url)).get("ingest_body_bytes") === 10, "a byte of each body");
      for (const each of requests) each.end(JSON.stringify(batch(10)).slice(1));
      const statuses = (await Promise.all(answers)).map(([answer]) => answer.resume().statusCode);
      // 20 tokens: 10 charged at admission, 9 for the others of the first batch; 9 for those of the second, which are more
      // than there are.
      assert.deepEqual(statuses.sort(), [200, 200, ...Array<number>(8).fill(429)]);
      assert.equal(published, 20);
      assert.equal((await metricsOf(url)).get('ingest_http_refusals_total{reason="RATE_LIMITED"}'), 8);
    });
  }

  it("the address rate limit applies to invalid keys and invalid requests", async () => {
    const guessed = await serve({ writeKeys, addressRate: rate });
    const wrong = { "x-write-key": "wrong" };
    assert.deepEqual(await statuses(4, () => post(guessed.url, sampleEvent(), wrong)), [401, 401, 401, 429]);
    const nonsense = await serve({ addressRate: rate });
    assert.deepEqual(await statuses(4, () => postBatch(nonsense.url, "{")), [400, 400, 400, 429]);
  });

  it("a rate limit does not count requests refused with 503", async () => {
    let isFull = true;
    const publisher = {
      ...appDeps().publisher,
      assertCapacity() {
        if (isFull) throw new RequestError("TOO_MANY_IN_FLIGHT");
      },
    };
    const { url } = await serveWith({ access: { ...appDeps().access, addressRate: rate }, publisher });
    assert.deepEqual(await statuses(5, () => post(url, sampleEvent())), [503, 503, 503, 503, 503]);
    assert.equal((await postBatch(url, batch(1))).status, 503);
    isFull = false;
    assert.deepEqual(await statuses(4, () => post(url, sampleEvent())), [204, 204, 204, 429]);
  });

  it("reads and writes have separate rate limits", async () => {
    const { url } = await serve({ addressRate: rate });
    assert.deepEqual(await statuses(4, () => fetch(`${url}/event/`)), [200, 200, 200, 429]);
    assert.equal((await post(url, sampleEvent())).status, 204);
    for (const path of ["/healthz", "/readyz", "/metrics", "/openapi.json"]) {
      assert.deepEqual(await statuses(5, () => fetch(url + path)), [200, 200, 200, 200, 200]);
    }
  });

  it("rate limits log no address", async () => {
    const { url, lines } = await serve({ addressRate: rate });
    await statuses(5, () => post(url, sampleEvent(), from("192.0.2.1")));
    assert.doesNotMatch(lines.join(), /192\.0\.2|127\.0\.0\.1/);
  });
});
