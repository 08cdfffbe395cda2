import assert from "node:assert/strict";
import { appDeps, useAppServer, testSettings } from "../testing/appServer";
import { errorsOf, post, postBatch, sampleEvent, sendRaw } from "../testing/requests";
import { KeySet } from "./keys/keySet";

const OPEN = appDeps().access;

describe("access keys", () => {
  const serve = useAppServer();
  const writeKeys = new KeySet([
    { name: "shop", key: "a+key&more=1" },
    { name: "shop", key: "next" },
  ]);
  const readKeys = new KeySet([{ name: "dashboard", key: "reader" }]);

  it("a POST is accepted with any write key, in a header, as a bearer token or in the query", async () => {
    const { url } = await serve({ access: { ...OPEN, writeKeys } });
    const ways: Record<string, string>[] = [
      { "x-write-key": "a+key&more=1" },
      { "x-write-key": "next" },
      { authorization: "Bearer a+key&more=1" },
      { authorization: "bearer next" },
      // Of something before the service.
      { authorization: "Basic eDp5", "x-write-key": "next" },
    ];
    for (const headers of ways) {
      assert.equal((await post(url, sampleEvent(), headers)).status, 204);
      assert.equal((await postBatch(url, [sampleEvent()], headers)).status, 200);
    }
    const query = `?key=${encodeURIComponent("a+key&more=1")}`;
    for (const path of ["/event/", "/event", "/events/", "/events"]) {
      const body = JSON.stringify(path.startsWith("/events") ? [sampleEvent()] : sampleEvent());
      const answer = await fetch(url + path + query, {
        method: "POST",
        headers: { "content-type": "text/plain" },
        body,
      });
      assert.ok(answer.ok, path);
    }
  });

  it("a missing or invalid key is answered with 401, an error body and CORS headers", async () => {
    const { url } = await serve({
      access: { ...OPEN, writeKeys, readKeys },
      settings: testSettings({ corsOrigins: ["https://shop.example"] }),
    });
    for (const [headers, message] of [
      [{}, /^A write key is required, in X-Write-Key or Authorization: Bearer, or the query parameter key/],
      [{ authorization: "Basic eDp5" }, /^A write key is required/],
      [{ "x-write-key": "wrong" }, /^This write key is not valid$/],
      [{ "x-write-key": "" }, /^This write key is not valid$/],
      [{ "x-write-key": "reader" }, /^This write key is not valid$/],
      [{ authorization: "Bearer reader" }, /^This write key is not valid$/],
    ] as [Record<string, string>, RegExp][]) {
      for (const send of [post, postBatch]) {
        const answer = await send(url, sampleEvent(), { ...headers, origin: "https://shop.example" });
        assert.equal(answer.status, 401);
        assert.equal(answer.headers.get("www-authenticate"), "Bearer");
        assert.equal(answer.headers.get("access-control-allow-origin"), "https://shop.example");
        const [error] = await errorsOf(answer);
        assert.equal(error?.field, "");
        assert.match(error?.message ?? "", message);
      }
    }
    const answer = await fetch(`${url}/events/?key=%zz`, { method: "POST", body: "[]" });
    assert.equal(answer.status, 401);
  });

  it("Segment's libraries may send the write key as the user name of Basic authentication, or in the body", async () => {
    const { url } = await serve({ access: { ...OPEN, writeKeys } });
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
    const call = { userId: "u-1", event: "order" };
    const send = (headers: Record<string, string>, body: object, path = "/v1/track"): Promise<Response> =>
      fetch(url + path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
    const batch = { batch: [{ type: "track", ...call }] };
    for (const [headers, body] of [
      [{ authorization: basic("next:") }, call],
      [{ authorization: basic("a+key&more=1:any") }, call],
      [{ authorization: "Bearer next" }, call],
      [{ "x-write-key": "next", authorization: basic("wrong:") }, call],
      [{}, { ...call, writeKey: "next" }],
      // Of something before the service.
      [{ "x-write-key": "next" }, { ...call, writeKey: "wrong" }],
    ] as [Record<string, string>, object][]) {
      assert.equal((await send(headers, body)).status, 200);
    }
    assert.equal((await send({}, { ...batch, writeKey: "next" }, "/v1/batch")).status, 200);
    for (const [headers, body, message] of [
      [{}, call, /^A write key is required, in the user name of Authorization: Basic, .* or writeKey in the body$/],
      [{}, { ...call, writeKey: "wrong" }, /^This write key is not valid$/],
      [{}, { ...call, writeKey: ["next"] }, /^A write key is required/],
      [{ authorization: basic("wrong:") }, { ...call, writeKey: "next" }, /^This write key is not valid$/],
      [{ authorization: basic(":next") }, call, /^A write key is required/],
    ] as [Record<string, string>, object, RegExp][]) {
      const refused = await send(headers, body);
      assert.equal(refused.status, 401);
      assert.match((await errorsOf(refused))[0]?.message ?? "", message);
    }
    assert.equal((await post(url, sampleEvent(), { authorization: basic("next:") })).status, 401);
  });

  it("a request without a key is refused before its body arrives", async () => {
    const { port } = await serve({ access: { ...OPEN, writeKeys } });
    const head = "POST /event/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
    assert.match(await sendRaw(port, `${head}Content-Length: 100\r\n\r\n`), /^HTTP\/1\.1 401 /);
  });

  it("reading requires a read key, and a write key does not count", async () => {
    const { url } = await serve({ access: { ...OPEN, readKeys } });
    assert.equal((await post(url, sampleEvent())).status, 204);
    const read = (headers: Record<string, string>): Promise<Response> => fetch(`${url}/event/`, { headers });
    assert.equal((await read({ "x-read-key": "reader" })).status, 200);
    assert.equal((await read({ authorization: "Bearer reader" })).status, 200);
    assert.equal((await fetch(`${url}/event/?key=reader`)).status, 401);
    const refused = await read({ "x-write-key": "next" });
    assert.equal(refused.status, 401);
    assert.match((await errorsOf(refused))[0]?.message ?? "", /^A read key is required, in X-Read-Key/);
  });

  it("health checks and the OpenAPI document need no key", async () => {
    const { url } = await serve({ access: { ...OPEN, readKeys, writeKeys } });
    for (const path of ["/healthz", "/readyz", "/openapi.json"]) {
      assert.deepEqual([path, (await fetch(url + path)).status], [path, 200]);
    }
  });

  it("the OpenAPI document states which operations need a key", async () => {
    const security = async (url: string): Promise<unknown[]> => {
      const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
        paths: Record<string, Record<string, { security?: Record<string, unknown>[] }>>;
      };
      const operations = [paths["/event/"]?.post, paths["/events/"]?.post, paths["/event/"]?.get];
      return operations.map((operation) => operation?.security?.flatMap((each) => Object.keys(each)));
    };
    const open = await serve();
    assert.deepEqual(await security(open.url), [undefined, undefined, undefined]);
    const closed = await serve({ access: { ...OPEN, writeKeys, readKeys } });
    const write = ["writeKeyHeader", "bearer", "writeKeyQuery"];
    assert.deepEqual(await security(closed.url), [write, write, ["readKeyHeader", "bearer"]]);
  });

  it("no key is ever logged", async () => {
    const publish = (): Promise<never> => Promise.reject(new TypeError("a bug"));
    const { url, lines } = await serve({
      access: { ...OPEN, writeKeys },
      publisher: { assertCapacity: () => undefined, publish, publishAll: publish, problem: async () => undefined },
    });
    await fetch(`${url}/event/?key=next`, { method: "POST", body: JSON.stringify(sampleEvent()) });
    await fetch(`${url}/event/?key=wrong-one`, { method: "POST", body: "{}" });
    await post(url, sampleEvent(), { "x-write-key": "next" });
    assert.ok(lines.length >= 2);
    assert.doesNotMatch(lines.join(), /next|wrong-one/);
  });
});
