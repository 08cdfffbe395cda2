import assert from "node:assert/strict";
import { request, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { useAppServer } from "../testing/appServer";
import { readDashboard } from "./dashboardSite";

/** Not fetch: it follows redirects and decompresses bodies. */
async function get(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<{ readonly response: IncomingMessage; readonly body: string }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { method, headers }, resolve).on("error", reject).end();
  });
  return { response, body: await text(response) };
}

describe("GET /dashboard/", () => {
  const serve = useAppServer();
  const { assets } = readDashboard();

  it("GET /dashboard/ sends a page that loads only its own files, and forbids everything else", async () => {
    const { url } = await serve();
    const { response, body } = await get(`${url}/dashboard/`);
    assert.equal(response.statusCode, 200);
    assert.equal(response.headers["content-type"], "text/html; charset=utf-8");
    assert.equal(response.headers["cache-control"], "no-cache");
    assert.equal(response.headers["x-content-type-options"], "nosniff");
    assert.equal(response.headers["referrer-policy"], "no-referrer");
    const policy = response.headers["content-security-policy"] ?? "";
    for (const part of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"]) {
      assert.ok(String(policy).split("; ").includes(part), `${part} in ${String(policy)}`);
    }
    assert.doesNotMatch(String(policy), /unsafe|\*|https?:|data:/);
    const loaded = [...body.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, path]) => path ?? "");
    assert.equal(loaded.length, 3);
    for (const path of loaded) {
      assert.match(path, /^assets\/[a-z]+-[0-9a-f]{12}\.(js|css|svg)$/);
      assert.equal((await get(`${url}/dashboard/${path}`)).response.statusCode, 200);
    }
    assert.doesNotMatch(body, /<script(?! type="module" src)|<style|\sstyle=|\son[a-z]+=/);
  });

  it("the files of the dashboard may be cached for a year, because their names change with their content", async () => {
    const { url } = await serve();
    for (const [name, file] of assets) {
      const { response, body } = await get(`${url}/dashboard/assets/${name}`);
      assert.equal(response.headers["cache-control"], "public, max-age=31536000, immutable");
      assert.equal(body, file.variants.identity.body.toString());
      const br = await get(`${url}/dashboard/assets/${name}`, { "accept-encoding": "br" });
      assert.equal(br.response.headers["content-encoding"], "br");
      assert.ok(Number(br.response.headers["content-length"]) < body.length);
    }
  });

  it("GET /dashboard redirects to the page with its query, relative to the path of the service", async () => {
    const { url } = await serve();
    const { response } = await get(`${url}/dashboard?range=7d`);
    assert.deepEqual([response.statusCode, response.headers.location], [308, "dashboard/?range=7d"]);
  });

  it("GET /dashboard/ answers 304 to the current ETag, and other paths below it with 404", async () => {
    const { url } = await serve();
    const { response } = await get(`${url}/dashboard/`);
    const cached = await get(`${url}/dashboard/`, { "if-none-match": String(response.headers.etag) });
    assert.deepEqual([cached.response.statusCode, cached.body], [304, ""]);
    for (const path of ["x", "assets/", "assets/x.js", "assets/..%2findex.html", "index.html", "assets/constructor"]) {
      assert.equal((await get(`${url}/dashboard/${path}`)).response.statusCode, 404, path);
    }
    assert.equal((await get(`${url}/dashboard/`, {}, "POST")).response.statusCode, 405);
  });

  it("the dashboard is less than 150 kB when it is compressed with gzip", () => {
    const total = [...assets.values()].reduce((sum, { variants }) => sum + variants.gzip.body.length, 0);
    assert.ok(total < 150_000, `${total} bytes`);
  });
});
