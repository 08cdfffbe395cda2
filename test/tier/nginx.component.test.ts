import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, RequestListener } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorsOf, post, postBatch, sampleEvent, sendRaw } from "@eventlogger/ingest/testing/requests";
import { eventually, useIngest } from "@eventlogger/ingest/testing/fixture";
import { freePort } from "@eventlogger/process/ports";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { startHttpServer } from "@eventlogger/ingest/http/server";
import { findNginx } from "@eventlogger/nginx/findNginx";
import { nginxArguments, renderNginxConfig, type NginxConfigOptions } from "@eventlogger/nginx/render";
import { hangUp, noContent, startUpstream, type TestUpstream as Upstream } from "@eventlogger/nginx/testing/upstream";

const installed = spawnSync("nginx", ["-v"]).status === 0;

(installed ? describe : describe.skip)("nginx in front of replicas (needs nginx)", () => {
  const cleanUp: (() => unknown)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });

  async function startNginx(options: Pick<NginxConfigOptions, "upstreams"> & Partial<NginxConfigOptions>): Promise<{
    url: string;
    directory: string;
    process: ChildProcess;
  }> {
    // A blank in the path: every directive must cope.
    const parent = mkdtempSync(join(tmpdir(), "nginx-"));
    cleanUp.push(() => rmSync(parent, { recursive: true }));
    const directory = join(parent, "state of nginx");
    mkdirSync(directory);
    const listenPort = await freePort();
    const configFile = join(directory, "nginx.conf");
    writeFileSync(configFile, renderNginxConfig({ listenPort, directory, ...options }));
    const args = nginxArguments(configFile, directory);
    const check = spawnSync("nginx", ["-t", ...args], { encoding: "utf8" });
    assert.equal(check.status, 0, check.stderr);
    assert.doesNotMatch(check.stderr, /warn|alert|emerg/);
    const child = await startChildProcess({ name: "nginx", command: "nginx", args, logFile: join(parent, "log") });
    cleanUp.push(() => child.stop());
    const url = `http://127.0.0.1:${listenPort}`;
    await eventually(
      () =>
        fetch(url).then(
          () => true,
          () => false,
        ),
      "nginx answers",
    );
    return { url, directory, process: child };
  }

  async function upstreams(...answers: RequestListener[]): Promise<Upstream[]> {
    const started = await Promise.all(answers.map((answer) => startUpstream(answer)));
    cleanUp.push(...started.map((upstream) => () => upstream.close()));
    return started;
  }

  it("nginx distributes requests evenly over kept-alive connections", async () => {
    const [a, b] = (await upstreams(noContent, noContent)) as [Upstream, Upstream];
    const { url } = await startNginx({ upstreams: [a.address, b.address] });
    const before = [a.requests.length, b.requests.length] as const;
    for (let i = 0; i < 40; i++) assert.equal((await post(url, sampleEvent())).status, 204);
    assert.equal(a.requests.length - before[0], 20);
    assert.equal(b.requests.length - before[1], 20);
    assert.ok(a.connections.size <= 2 && b.connections.size <= 2, `${a.connections.size}, ${b.connections.size}`);
  });

  it("nginx uses the other replica when one is down", async () => {
    const [a] = (await upstreams(noContent)) as [Upstream];
    const { url } = await startNginx({ upstreams: [`127.0.0.1:${await freePort()}`, a.address] });
    for (let i = 0; i < 20; i++) assert.equal((await post(url, sampleEvent())).status, 204);
  });

  it("nginx answers 503 with Retry-After instead of resending a POST that may have arrived", async () => {
    const [a, b] = (await upstreams(hangUp, hangUp)) as [Upstream, Upstream];
    const { url } = await startNginx({ upstreams: [a.address, b.address] });
    a.requests.length = b.requests.length = 0;
    const response = await post(url, sampleEvent());
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("retry-after"), "1");
    assert.equal((await errorsOf(response)).length, 1);
    assert.equal(a.requests.length + b.requests.length, 1);
  });

  it("nginx passes the answers of replicas on unchanged", async () => {
    const refuse: RequestListener = (_, res) =>
      res.writeHead(503, { "retry-after": "5", "content-type": "application/json" }).end('{"errors":[]}');
    const [a] = (await upstreams(refuse)) as [Upstream];
    const { url } = await startNginx({ upstreams: [a.address] });
    const response = await post(url, sampleEvent());
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("retry-after"), "5");
    assert.equal(await response.text(), '{"errors":[]}');
  });

  it("nginx answers 413 to far too large bodies with an error body", async () => {
    const [a] = (await upstreams(noContent)) as [Upstream];
    const { url } = await startNginx({ upstreams: [a.address], bodyLimit: 2048 });
    const response = await post(url, "x".repeat(40_000));
    assert.equal(response.status, 413);
    assert.match((await errorsOf(response))[0]?.message ?? "", /2048 bytes/);
  });

  it("nginx passes batches up to the limit and answers 413 to larger ones with an error body", async () => {
    const [a] = (await upstreams(noContent)) as [Upstream];
    const { url } = await startNginx({ upstreams: [a.address] });
    assert.equal((await postBatch(url, " ".repeat(5_242_880))).status, 204);
    const response = await postBatch(url, " ".repeat(5_242_880 + 1));
    assert.equal(response.status, 413);
    assert.match((await errorsOf(response))[0]?.message ?? "", /5242880 bytes/);
  });

  it("nginx logs one line of JSON per request without bodies, queries or addresses, and stops on SIGTERM", async () => {
    const [a] = (await upstreams(noContent)) as [Upstream];
    const { url, directory, process: child } = await startNginx({ upstreams: [a.address] });
    await post(url, sampleEvent({ user_id: "somebody" }));
    await fetch(`${url}/event/?from=2024-01-01`);
    assert.deepEqual(await child.stop(), { code: 0, signal: null });
    const text = readFileSync(join(directory, "access.log"), "utf8");
    assert.doesNotMatch(text, /somebody|from=/);
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const line = lines.find((l) => l.method === "POST");
    assert.equal(line?.path, "/event/");
    assert.equal(line?.status, 204);
    assert.equal(line?.upstream, `127.0.0.1:${a.port}`);
    assert.ok(!("remote_addr" in (line ?? {})));
  });

  it("nginx sends replicas the address of the client as it sees it, and the same request id everywhere", async () => {
    const seen: IncomingMessage["headers"][] = [];
    const [a] = (await upstreams((req, res) => {
      seen.push(req.headers);
      res.writeHead(204).end();
    })) as [Upstream];
    const { url } = await startNginx({ upstreams: [a.address] });
    seen.length = 0;
    const lies = { "x-forwarded-for": "203.0.113.7", "x-real-ip": "203.0.113.8" };
    await post(url, sampleEvent(), { ...lies, "x-request-id": "trace-1" });
    await post(url, sampleEvent(), { ...lies, "x-request-id": "no id {}" });
    assert.deepEqual(
      seen.map((h) => [h["x-forwarded-for"], h["x-real-ip"]]),
      [
        ["127.0.0.1", "127.0.0.1"],
        ["127.0.0.1", "127.0.0.1"],
      ],
    );
    assert.equal(seen[0]?.["x-request-id"], "trace-1");
    assert.match(String(seen[1]?.["x-request-id"]), /^[0-9a-f]{32}$/);
  });

  it("nginx limits each client address, as reported by a trusted proxy, with 429 and Retry-After", async () => {
    const [a] = (await upstreams(noContent)) as [Upstream];
    const { url } = await startNginx({
      upstreams: [a.address],
      addressLimit: { perSecond: 1, burst: 4 },
      trustedProxies: ["127.0.0.1"],
    });
    const send = (client: string): Promise<Response> => post(url, sampleEvent(), { "x-forwarded-for": client });
    const answers = await Promise.all(Array.from({ length: 20 }, () => send("203.0.113.1")));
    const refused = answers.filter((answer) => answer.status === 429);
    // At most five at once; more only if the requests take longer than a second.
    assert.ok(refused.length >= 1 && refused.length <= 15, `${refused.length} of 20 were refused`);
    assert.equal(refused[0]?.headers.get("retry-after"), "1");
    assert.match((await errorsOf(refused[0]))[0]?.message ?? "", /Rate limit exceeded/);
    assert.equal((await send("203.0.113.2")).status, 204);
  });

  it("nginx limits each key, in any header or the query, and logs no key", async () => {
    const [a] = (await upstreams(noContent)) as [Upstream];
    const {
      url,
      directory,
      process: child,
    } = await startNginx({
      upstreams: [a.address],
      keyLimit: { perSecond: 1, burst: 1 },
    });
    const places: ((key: string) => Promise<Response>)[] = [
      (key) => post(url, sampleEvent(), { "x-write-key": key }),
      (key) => post(url, sampleEvent(), { authorization: `Bearer ${key}` }),
      (key) => fetch(`${url}/event/?key=${key}`, { method: "POST", body: "{}" }),
      (key) => fetch(`${url}/event/`, { headers: { "x-read-key": key } }),
    ];
    for (const [i, send] of places.entries()) {
      const statuses = (await Promise.all(Array.from({ length: 8 }, () => send(`secret-${i}`)))).map((r) => r.status);
      assert.ok(statuses.includes(204) && statuses.includes(429), `${i}: ${statuses.join()}`);
    }
    // All places share one limit: two at once, then one per second. Separate limits would let six through at once.
    const start = performance.now();
    const one = await Promise.all([...places.slice(0, 3), ...places.slice(0, 3)].map((send) => send("secret-one")));
    const allowed = 2 + Math.ceil((performance.now() - start) / 1000);
    const passed = one.filter((answer) => answer.status === 204).length;
    assert.ok(passed >= 2 && passed <= allowed, `${passed} passed, ${allowed} were allowed`);
    for (let i = 0; i < 8; i++) assert.equal((await post(url, sampleEvent())).status, 204);
    await child.stop();
    for (const log of ["access.log", "error.log"]) {
      assert.doesNotMatch(readFileSync(join(directory, log), "utf8"), /secret|127\.0\.0\.1, server/);
    }
  });

  it("nginx passes batches of Segment's libraries, logs their paths, and limits the key that is the user name", async () => {
    const [a] = (await upstreams(noContent)) as [Upstream];
    const {
      url,
      directory,
      process: child,
    } = await startNginx({ upstreams: [a.address], segmentPath: "/collect", keyLimit: { perSecond: 1, burst: 1 } });
    const send = (path: string, body: string, key: string): Promise<Response> =>
      fetch(url + path, {
        method: "POST",
        body,
        headers: { authorization: `Basic ${Buffer.from(`${key}:`).toString("base64")}` },
      });
    const large = " ".repeat(5_242_880);
    for (const name of ["batch", "b", "import"])
      assert.equal((await send(`/collect/${name}/`, large, name)).status, 204);
    assert.equal((await send("/collect/batch", `${large} `, "more")).status, 413);
    assert.equal((await send("/collect/t", large, "single")).status, 413);
    const same = await Promise.all(Array.from({ length: 8 }, () => send("/collect/i", "{}", "same")));
    const statuses = same.map(({ status }) => status);
    assert.ok(statuses.includes(204) && statuses.includes(429), statuses.join());
    // Elsewhere it is the key of something in front of nginx.
    for (let i = 0; i < 8; i++) assert.equal((await send("/event/", "{}", "other")).status, 204);
    await child.stop();
    const log = readFileSync(join(directory, "access.log"), "utf8");
    for (const path of ["/collect/import/", "/collect/t", "/collect/i"])
      assert.ok(log.includes(`"path":"${path}"`), path);
  });

  it("nginx limits concurrent requests per client address", async () => {
    const waiting: (() => void)[] = [];
    const [a] = (await upstreams((req, res) => {
      if (req.method === "POST") waiting.push(() => res.writeHead(204).end());
      else res.writeHead(204).end();
    })) as [Upstream];
    const { url } = await startNginx({ upstreams: [a.address], addressConcurrency: 2 });
    const held = [post(url, sampleEvent()), post(url, sampleEvent())];
    await eventually(() => waiting.length === 2, "two requests in flight");
    assert.equal((await post(url, sampleEvent())).status, 429);
    for (const answer of waiting) answer();
    assert.deepEqual(await Promise.all(held.map(async (answer) => (await answer).status)), [204, 204]);
  });

  it("nginx counts a client that sends its body byte by byte as a concurrent request", async () => {
    const [a] = (await upstreams(noContent)) as [Upstream];
    const { url } = await startNginx({ upstreams: [a.address], addressConcurrency: 2 });
    const slow = new Set<Socket>();
    let isOver = false;
    const sendSlowly = (): void => {
      const socket = connect(Number(new URL(url).port));
      slow.add(socket);
      socket.on("error", () => undefined);
      // One that comes during a request below is refused: another one follows.
      socket.on("close", () => {
        slow.delete(socket);
        if (!isOver) sendSlowly();
      });
      socket.resume().write("POST /event/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n{");
    };
    const stopSlow = (): void => {
      isOver = true;
      for (const socket of slow) socket.destroy();
    };
    cleanUp.push(stopSlow);
    sendSlowly();
    sendSlowly();
    await eventually(async () => (await post(url, sampleEvent())).status === 429, "both are in flight");
    stopSlow();
    await eventually(async () => (await post(url, sampleEvent())).status === 204, "both have gone");
  });

  it("nginx hides /metrics, compresses answers, and adds security headers to all answers", async () => {
    const json = JSON.stringify({ text: "x".repeat(2000) });
    const [a] = (await upstreams((_, res) => res.writeHead(200, { "content-type": "application/json" }).end(json))) as [
      Upstream,
    ];
    const { url } = await startNginx({ upstreams: [a.address] });
    const answer = await fetch(`${url}/event/`, { headers: { "accept-encoding": "gzip" } });
    assert.equal(answer.headers.get("content-encoding"), "gzip");
    assert.equal(await answer.text(), json);
    a.requests.length = 0;
    const hidden = await Promise.all(
      ["/metrics", "/METRICS/", "/%6detrics", "//metrics", "/-/400"].map((p) => fetch(url + p)),
    );
    assert.deepEqual(
      hidden.map((response) => response.status),
      [404, 404, 404, 404, 404],
    );
    assert.deepEqual(a.requests, []);
    for (const response of [answer, ...hidden]) {
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      assert.match(response.headers.get("content-security-policy") ?? "", /default-src 'none'/);
    }
  });

  it("nginx adds CORS headers to its own errors and none to the answers of replicas", async () => {
    const fromReplica: RequestListener = (_, res) =>
      res.writeHead(200, { "access-control-allow-origin": "https://shop.example", vary: "Origin" }).end();
    const [a] = (await upstreams(fromReplica)) as [Upstream];
    const long = `https://${"a.very.long.name.".repeat(8)}example`;
    const { url } = await startNginx({ upstreams: [a.address], corsOrigins: ["https://shop.example", long] });
    const ask = (path: string, origin: string): Promise<Response> => fetch(url + path, { headers: { origin } });
    const allow = "access-control-allow-origin";
    for (const origin of ["https://shop.example", long]) {
      const own = await ask("/metrics", origin);
      assert.equal(own.headers.get(allow), origin);
      assert.match(own.headers.get("access-control-expose-headers") ?? "", /retry-after, .*x-request-id/);
      assert.match(own.headers.get("vary") ?? "", /Origin/);
    }
    const other = await ask("/metrics", "https://other.example");
    assert.equal(other.headers.get(allow), null);
    assert.equal(other.headers.get("access-control-expose-headers"), null);
    assert.match(other.headers.get("vary") ?? "", /Origin/);
    assert.equal((await ask("/event/", "https://shop.example")).headers.get(allow), "https://shop.example");
  });

  it("nginx answers invalid HTTP and too many headers with an error body", async () => {
    const [a] = (await upstreams(noContent)) as [Upstream];
    const { url } = await startNginx({ upstreams: [a.address] });
    const port = Number(new URL(url).port);
    a.requests.length = 0;
    const large = await sendRaw(port, `GET /event/ HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(40_000)}\r\n\r\n`);
    assert.match(large, /^HTTP\/1.1 431 [^]*"errors":\[/);
    const long = await sendRaw(port, `GET /${"x".repeat(40_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.match(long, /^HTTP\/1.1 431 [^]*"errors":\[/);
    const bad = await sendRaw(port, "GET /event/ HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n");
    assert.match(bad, /^HTTP\/1.1 400 [^]*"errors":\[/);
    assert.deepEqual(a.requests, []);
  });

  it("nginx answers every status that it can give by itself with an error body", async () => {
    const [a] = (await upstreams(noContent)) as [Upstream];
    const { url, directory } = await startNginx({ upstreams: [a.address] });
    const port = Number(new URL(url).port);
    const line =
      /^HTTP\/1.1 (\d+) [^]*Content-Type: application\/json[^]*X-Request-Id: [^]*\r\n\r\n\{"errors":\[\{"field":"","message":"/i;
    const head = "Host: a\r\nConnection: close\r\n";
    const broken: readonly (readonly [status: string, request: string])[] = [
      ["400", `GET /event/%zz HTTP/1.1\r\n${head}\r\n`],
      ["405", `TRACE /event/ HTTP/1.1\r\n${head}\r\n`],
      ["413", `POST /event/ HTTP/1.1\r\n${head}Content-Length: 99999999\r\n\r\n`],
      ["413", `POST /events/ HTTP/1.1\r\n${head}Content-Length: 99999999\r\n\r\n`],
      ["431", `GET /events/ HTTP/1.1\r\n${head}X: ${"x".repeat(40_000)}\r\n\r\n`],
      ["501", `POST /event/ HTTP/1.1\r\n${head}Transfer-Encoding: gzip\r\n\r\n`],
      ["501", `POST /events/ HTTP/1.1\r\n${head}Transfer-Encoding: gzip\r\n\r\n`],
      ["505", `GET /event/ HTTP/3.0\r\n${head}\r\n`],
    ];
    for (const [status, request] of broken) {
      const answer = await sendRaw(port, request);
      assert.equal(line.exec(answer)?.[1], status, `${request.slice(0, 40)}: ${answer}`);
    }
    const log = (): string => readFileSync(join(directory, "access.log"), "utf8");
    await eventually(() => log().split('"status":501').length === 3, "the requests are logged");
    assert.match(log(), /"method":"POST","path":"\/events\/","status":413/);
    assert.match(log(), /"method":"POST","path":"\/event\/","status":501/);
    // For the statuses that no request causes: nginx has a page of HTML for each status, and the configuration none.
    const program = readFileSync(String(findNginx()), "latin1");
    const pages = new Set(Array.from(program.matchAll(/<center><h1>([45]\d\d) /g), ([, status = ""]) => status));
    assert.ok(pages.size >= 25, `${pages.size}`);
    const config = readFileSync(join(directory, "nginx.conf"), "utf8");
    const handled = Array.from(config.matchAll(/^ *error_page ([\d ]+) =(\d+) (\S+);/gm));
    const places = config.split("error_page 418 ").length - 1;
    for (const status of [...pages, "494", "495", "496", "497"]) {
      const uses = handled.filter(([, statuses = ""]) => statuses.split(" ").includes(status));
      // Once for the server, and once for each location with an error_page of its own.
      assert.equal(uses.length, places + 1, status);
      for (const [, , answer, path] of uses) {
        assert.match(config, new RegExp(`location (= )?${path} \\{[^}]*return ${answer} '\\{"errors"`));
      }
    }
  });

  it("a body that stalls behind nginx is answered with 408, and others are served", async () => {
    for (const path of ["/event/", "/events/"]) {
      let unreadable = 0;
      const server = await startHttpServer({
        listener: (req, res) => void req.resume().on("end", () => res.writeHead(204).end()),
        host: "127.0.0.1",
        port: 0,
        maxConnections: 100,
        headersTimeoutMs: 300,
        requestTimeoutMs: 300,
        onUnreadable: () => unreadable++,
      });
      cleanUp.push(() => (server.abort(), server.drain()));
      const { url } = await startNginx({ upstreams: [`127.0.0.1:${server.port}`] });
      const port = Number(new URL(url).port);
      const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n`;
      for (const start of [`${head}Content-Length: 1000\r\n\r\n{`, `${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{`]) {
        assert.match(await sendRaw(port, start), /^HTTP\/1.1 408 [^]*"errors":\[/);
      }
      assert.equal(unreadable, 2);
      assert.equal((await post(url, sampleEvent())).status, 204);
    }
  });

  it("HTTP/1.0 without a Host works through nginx", async () => {
    const server = await startHttpServer({
      listener: (req, res) => void req.resume().on("end", () => res.writeHead(204).end()),
      host: "127.0.0.1",
      port: 0,
      maxConnections: 100,
    });
    cleanUp.push(() => (server.abort(), server.drain()));
    const { url } = await startNginx({ upstreams: [`127.0.0.1:${server.port}`] });
    const port = Number(new URL(url).port);
    const event = JSON.stringify(sampleEvent());
    for (const request of [
      "GET /healthz HTTP/1.0\r\n\r\n",
      `POST /event/ HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: ${event.length}\r\n\r\n${event}`,
    ]) {
      for (let i = 0; i < 2; i++) assert.match(await sendRaw(port, request), /^HTTP\/1.1 204 /);
    }
  });

  describe("with real replicas", () => {
    const ingest = useIngest();

    it("nginx passes the browser client and the dashboard on as the replica serves them, and logs their paths", async () => {
      const replica = await ingest.startReplica({ TOPIC: "unused" });
      const { url, directory, process: child } = await startNginx({ upstreams: [`127.0.0.1:${replica.port}`] });
      const compare = async (path: string, ...headers: readonly string[]): Promise<string> => {
        const [direct, passed] = await Promise.all([replica.url, url].map((base) => fetch(base + path)));
        assert.equal(passed?.status, 200);
        for (const name of ["content-type", "content-encoding", "etag", "cache-control", ...headers]) {
          assert.equal(passed.headers.get(name), direct?.headers.get(name), name);
        }
        const body = await passed.text();
        assert.equal(body, await direct?.text());
        return body;
      };
      await compare("/client/eventlogger.js", "access-control-allow-origin");
      // A second policy beside that of the page would forbid it to load its files.
      const page = await compare("/dashboard/", "content-security-policy");
      const script = /src="(assets\/[^"]+)"/.exec(page)?.[1];
      await compare(`/dashboard/${script}`, "content-security-policy");
      await child.stop();
      const log = readFileSync(join(directory, "access.log"), "utf8");
      assert.match(log, /"path":"\/client\/eventlogger\.js","status":200/);
      assert.match(log, /"path":"\/dashboard\/","status":200/);
    });

    it("nginx and real replicas accept every event while replicas are restarted one after the other", async () => {
      const topic = await ingest.freshTopic();
      const env = { TOPIC: topic.name };
      const [a, b] = [await ingest.startReplica(env), await ingest.startReplica(env)];
      const { url } = await startNginx({ upstreams: [a, b].map(({ port }) => `127.0.0.1:${port}`) });

      let stop = false;
      const acknowledged: string[] = [];
      const otherwise: string[] = [];
      const client = async (name: string): Promise<void> => {
        for (let i = 0; !stop; i++) {
          const event_id = `${name}-${i}`;
          const { status } = await post(url, sampleEvent({ event_id }));
          if (status === 204) acknowledged.push(event_id);
          else otherwise.push(`${event_id}: ${status}`);
        }
      };
      const clients = ["p", "q", "r", "s"].map(client);
      const more = (n: number): Promise<void> => {
        const goal = acknowledged.length + n;
        return eventually(() => acknowledged.length >= goal, `${n} more events`);
      };
      await more(50);
      await a.process.stop();
      await more(50);
      await ingest.startReplica({ ...env, PORT: String(a.port) });
      await more(200);
      await b.process.stop();
      await more(50);
      stop = true;
      await Promise.all(clients);

      // A stop may fail a request that is just arriving (the client is told to retry), but never lose an event.
      assert.ok(otherwise.length <= 2, `${otherwise.length}: ${otherwise.slice(0, 10).join()}`);
      for (const id of acknowledged) await topic.message(id);
    });
  });
});
