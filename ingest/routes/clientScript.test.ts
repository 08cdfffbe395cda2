import assert from "node:assert/strict";
import { request, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { testSettings, useAppServer } from "../testing/appServer";
import { compressedFile } from "../http/compressedFile";
import { readClientScript } from "./clientScript";

const SOURCE = Buffer.from(`var eventlogger = ${JSON.stringify("x".repeat(2000))};`);

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Not fetch: it decompresses bodies. */
function get(url: string, headers: Readonly<Record<string, string>> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(`${url}/client/eventlogger.js`, { method, headers }, (response) => {
      buffer(response).then(
        (body) => resolve({ status: response.statusCode, headers: response.headers, body }),
        reject,
      );
    })
      .on("error", reject)
      .end();
  });
}

describe("GET /client/eventlogger.js", () => {
  const serve = useAppServer();
  const start = async (): Promise<string> => (await serve({ clientScript: compressedFile(SOURCE) })).url;

  it("GET /client/eventlogger.js sends the script so that any page may load it with an integrity hash", async () => {
    const { status, headers, body } = await get(await start());
    assert.equal(status, 200);
    assert.deepEqual(body, SOURCE);
    assert.equal(headers["content-type"], "text/javascript; charset=utf-8");
    assert.equal(headers["access-control-allow-origin"], "*");
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["cache-control"], "public, max-age=3600");
    assert.equal(headers["vary"], "Accept-Encoding");
    assert.match(headers.etag ?? "", /^"[\w-]+"$/);
    assert.equal(headers["content-encoding"], undefined);
  });

  it("GET /client/eventlogger.js allows any origin even when --cors-origins lists others", async () => {
    const settings = testSettings({ corsOrigins: ["https://shop.example"] });
    const { url } = await serve({ clientScript: compressedFile(SOURCE), settings });
    for (const origin of ["https://shop.example", "https://other.example"]) {
      const { headers } = await get(url, { origin });
      assert.equal(headers["access-control-allow-origin"], "*");
      assert.equal(headers["vary"], "Origin, Accept-Encoding");
    }
  });

  it("GET /client/eventlogger.js compresses the script as the request accepts, with an ETag for each encoding", async () => {
    const url = await start();
    const br = await get(url, { "accept-encoding": "gzip, deflate, br" });
    assert.equal(br.headers["content-encoding"], "br");
    assert.deepEqual(brotliDecompressSync(br.body), SOURCE);
    const gzip = await get(url, { "accept-encoding": "gzip" });
    assert.equal(gzip.headers["content-encoding"], "gzip");
    assert.deepEqual(gunzipSync(gzip.body), SOURCE);
    assert.ok(gzip.body.length < SOURCE.length / 10 && br.body.length < SOURCE.length / 10);
    assert.notEqual(br.headers.etag, gzip.headers.etag);
    const plain = await get(url, { "accept-encoding": "br;q=0, gzip;q=0" });
    assert.equal(plain.headers["content-encoding"], undefined);
    assert.deepEqual(plain.body, SOURCE);
  });

  it("GET /client/eventlogger.js answers 304 without a body to the current ETag, and 200 to another", async () => {
    const url = await start();
    const { headers } = await get(url);
    const cached = await get(url, { "if-none-match": String(headers.etag) });
    assert.equal(cached.status, 304);
    assert.equal(cached.body.length, 0);
    assert.equal(cached.headers.etag, headers.etag);
    assert.equal(cached.headers["cache-control"], headers["cache-control"]);
    assert.equal((await get(url, { "if-none-match": '"other"' })).status, 200);
  });

  it("HEAD /client/eventlogger.js sends the headers of GET and no body", async () => {
    const url = await start();
    const head = await get(url, {}, "HEAD");
    assert.equal(head.status, 200);
    assert.equal(head.body.length, 0);
    assert.equal(head.headers["content-length"], String(SOURCE.length));
    assert.equal(head.headers.etag, (await get(url)).headers.etag);
  });

  it("the script of the package @eventlogger/client is found and defines the global eventlogger", () => {
    assert.match(readClientScript().variants.identity.body.toString(), /^\/\*!.*\nvar eventlogger=/);
  });
});
