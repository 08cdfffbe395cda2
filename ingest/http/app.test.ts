import assert from "node:assert/strict";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";
import type { DayRange } from "@eventlogger/gcp/bigquery/dailyRollups";
import { RollupCache } from "../rollups/rollupCache";
import type { EventMessage } from "@eventlogger/events/eventMessage";
import type { EventStatistics } from "../routes/getEvent";
import type { BreakdownAnswer } from "../routes/getBreakdowns";
import type { HoursAnswer } from "../routes/getHours";
import type { RetentionStatistics } from "../routes/getRetention";
import { acceptingPublisher, appDeps, useAppServer, testSettings } from "../testing/appServer";
import { eventually } from "../testing/fixture";
import { metricsOf } from "../testing/metrics";
import { errorsOf, post, postBatch, sampleEvent, sendRaw } from "../testing/requests";

describe("the HTTP interface", () => {
  const serve = useAppServer();

  describe("GET /event/", () => {
    it("GET /event/ returns the days of a range in ascending order, with or without the trailing slash", async () => {
      const { url } = await serve();
      for (const path of ["/event/?from=2022-01-01&to=2024-05-17", "/event?from=2022-01-01&to=2024-05-17"]) {
        const before = Date.now();
        const response = await fetch(url + path);
        assert.equal(response.status, 200);
        assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
        const body = (await response.json()) as EventStatistics;
        const { total_users, daily_stats, as_of, ...definitions } = body;
        assert.deepEqual(Object.keys(body).slice(0, 3), ["total_users", "daily_stats", "as_of"]);
        assert.deepEqual(definitions, { generation: 2, time_zone: "Europe/Berlin", session_gap: 1800 });
        assert.equal(total_users, 3);
        assert.ok(Math.abs(new Date(as_of).getTime() - before) < 60_000);
        assert.deepEqual(daily_stats, [
          {
            date: "16/05/2024",
            average_session_duration_min: 0,
            average_session_duration_sec: 0,
            active_user_count: 3,
            new_user_count: 1,
            session_count: 6,
            ...{ weekly_active_user_count: 7, monthly_active_user_count: 8, anonymous_user_count: 1 },
            ...{ bot_user_count: 2, bot_session_count: 3 },
          },
          {
            date: "17/05/2024",
            average_session_duration_min: 1.02,
            average_session_duration_sec: 61,
            active_user_count: 2,
            new_user_count: 2,
            session_count: 7,
            ...{ weekly_active_user_count: 8, monthly_active_user_count: 9, anonymous_user_count: 2 },
            ...{ bot_user_count: 3, bot_session_count: 4 },
          },
        ]);
      }
    });

    it("GET /event/ filters by from and to inclusively and keeps total_users over all events", async () => {
      const { url } = await serve();
      const cases: [string, string[]][] = [
        ["", []],
        ["from=2024-05-16&to=2024-06-30", ["16/05/2024", "17/05/2024"]],
        ["to=16/05/2024", ["16/05/2024"]],
        ["to=29/04/2020", ["31/01/2020"]],
        ["from=16/05/2024&to=2024-05-16", ["16/05/2024"]],
        ["from=2021-01-01&to=2021-12-31", []],
      ];
      for (const [query, dates] of cases) {
        const body = (await (await fetch(`${url}/event/?${query}`)).json()) as {
          total_users: number;
          daily_stats: { date: string }[];
        };
        assert.deepEqual([query, body.daily_stats.map((d) => d.date)], [query, dates]);
        assert.equal(body.total_users, 3);
      }
    });

    it("GET /event/ names an invalid parameter", async () => {
      const { url } = await serve();
      const response = await fetch(`${url}/event/?from=2024-05-01&to=tomorrow`);
      assert.equal(response.status, 400);
      const [error] = await errorsOf(response);
      assert.equal(error?.field, "to");
      assert.match(error?.message ?? "", /YYYY-MM-DD or dd\/mm\/yyyy, not "tomorrow"/);
    });

    it("GET /event/ answers 503 with Retry-After when BigQuery fails", async () => {
      const read = (): Promise<never> => Promise.reject(new Error("secret connection string"));
      const { url } = await serve({ rollups: new RollupCache({ read, ttlMs: 0, timeoutMs: 100, onError: () => {} }) });
      const response = await fetch(`${url}/event/`);
      assert.equal(response.status, 503);
      assert.ok(Number(response.headers.get("retry-after")) >= 1);
      assert.doesNotMatch(await response.text(), /secret/);
    });
  });

  describe("GET /breakdowns/", () => {
    it("GET /breakdowns/ returns the first values of a dimension and the numbers of all others", async () => {
      const { url } = await serve();
      for (const path of [
        "/breakdowns/?dimension=country&from=2024-05-17&to=17/05/2024&limit=2",
        "/breakdowns?limit=2&to=2024-05-17&from=2024-05-17&dimension=country",
      ]) {
        const response = await fetch(url + path);
        assert.equal(response.status, 200);
        assert.equal(response.headers.get("cache-control"), "no-cache");
        const { as_of, ...answer } = (await response.json()) as BreakdownAnswer;
        assert.ok(Date.parse(as_of) > 0);
        assert.deepEqual(answer, {
          ...{ generation: 2, time_zone: "Europe/Berlin", refreshed_at: "2024-05-17T12:00:00.000Z" },
          ...{ dimension: "country", dimensions: ["country", "properties.plan"], from: "2024-05-17", to: "2024-05-17" },
          totals: { events: 24, sessions: 9, person_days: 6, persons: 2 },
          values: [
            { value: "DE", events: 9, sessions: 3, person_days: 2, persons: 2 },
            { value: "FR", events: 8, sessions: 3, person_days: 2, persons: 2 },
          ],
          other: { value_count: 1, events: 7, sessions: 2, person_days: 2, persons: 2 },
        });
      }
    });

    it("GET /breakdowns/ without to ends tomorrow in the time zone of the numbers", async () => {
      const ranges: DayRange[] = [];
      const today = new Date().toISOString().slice(0, 10);
      const { breakdowns } = appDeps();
      const { url } = await serve({
        breakdowns: {
          get: async (request) => {
            ranges.push(request.range);
            const found = await breakdowns.get(request);
            return { ...found, definitions: { generation: 1, timeZone: "Pacific/Kiritimati", sessionGapMs: 1 } };
          },
        },
      });
      const response = await fetch(`${url}/breakdowns/?dimension=country&from=${today}`);
      const { to } = (await response.json()) as BreakdownAnswer;
      const kiritimati = new Date(Date.now() + (24 + 14) * 3_600_000).toISOString().slice(0, 10);
      assert.equal(to, kiritimati);
      assert.equal(ranges.at(-1)?.to, kiritimati);
    });

    it("GET /breakdowns/ names the dimensions when another one is asked for", async () => {
      const { url } = await serve();
      const response = await fetch(`${url}/breakdowns/?dimension=page`);
      assert.equal(response.status, 400);
      assert.match(await response.text(), /\\"page\\" is not computed: the dimensions are country, properties.plan/);
    });
  });

  describe("GET /hours/", () => {
    it("GET /hours/ returns the hours of today, or of a date", async () => {
      const { url } = await serve();
      const read = async (path: string): Promise<HoursAnswer> =>
        (await (await fetch(url + path)).json()) as HoursAnswer;
      assert.equal((await read("/hours")).date, "2024-05-17");
      const { as_of, ...answer } = await read("/hours/?date=31/05/2024");
      assert.ok(Date.parse(as_of) > 0);
      assert.deepEqual(answer, {
        ...{ generation: 2, time_zone: "Europe/Berlin", refreshed_at: null, date: "2024-05-31" },
        hours: [{ hour: "2024-05-31T00:00:00+02:00", events: 3, persons: 2, sessions: 1 }],
      });
    });
  });

  describe("GET /retention/", () => {
    it("GET /retention/ returns the cohorts whose weeks begin in a range, with or without the trailing slash", async () => {
      const { url } = await serve();
      for (const path of ["/retention/?from=2024-05-06&to=2024-05-12", "/retention?from=06/05/2024&to=12/05/2024"]) {
        const response = await fetch(url + path);
        assert.deepEqual([response.status, response.headers.get("cache-control")], [200, "no-cache"]);
        const { as_of, ...answer } = (await response.json()) as RetentionStatistics;
        assert.ok(!Number.isNaN(Date.parse(as_of)));
        assert.deepEqual(answer, {
          generation: 2,
          time_zone: "Europe/Berlin",
          cohorts: [{ week: "2024-05-06", size: 5, retained: [5, 0, 2] }],
        });
      }
    });
  });

  describe("addresses and methods", () => {
    it("an unknown path is answered with 404 and an error body", async () => {
      const { url } = await serve();
      for (const path of ["/", "/eventss", "/event/x", "/events/x", "/event//", "/%ff", "/healthz/x"]) {
        const response = await fetch(url + path);
        assert.deepEqual([path, response.status], [path, 404]);
        assert.equal((await errorsOf(response)).length, 1);
      }
    });

    it("a method that a path does not allow is answered with 405 and Allow", async () => {
      const { url } = await serve();
      for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS"]) {
        const response = await fetch(`${url}/event/`, { method });
        assert.deepEqual([method, response.status], [method, 405]);
        const allowed = (response.headers.get("allow") ?? "").split(", ").sort();
        assert.deepEqual(allowed, ["GET", "HEAD", "POST"]);
        assert.equal((await errorsOf(response)).length, 1);
      }
    });

    it("HEAD is answered without a body", async () => {
      const { url } = await serve();
      const response = await fetch(`${url}/event/`, { method: "HEAD" });
      assert.equal(response.status, 200);
      assert.equal(await response.text(), "");
    });
  });

  it("an overloaded replica refuses requests before their bodies arrive, and accepts requests again afterwards", async () => {
    let overloaded = true;
    const { url, port } = await serve({ isOverloaded: () => overloaded });
    for (const path of ["/event/", "/events/"]) {
      const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n`;
      // The body never comes.
      const answer = await sendRaw(port, `${head}Content-Length: 100\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 503 [^]*retry-after: 1\r\n[^]*nothing was accepted/i);
    }
    overloaded = false;
    assert.equal((await post(url, sampleEvent())).status, 204);
  });

  describe("pages of other origins", () => {
    const SHOP = "https://shop.example";
    const preflight = (url: string, origin: string): Promise<Response> =>
      fetch(`${url}/events/`, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
      });

    it("pages of listed origins get CORS headers, also on errors", async () => {
      const { url } = await serve({ settings: testSettings({ corsOrigins: [SHOP, "http://localhost:8080"] }) });
      for (const origin of [SHOP, "http://localhost:8080"]) {
        const allowed = await preflight(url, origin);
        assert.equal(allowed.status, 204);
        assert.equal(allowed.headers.get("access-control-allow-origin"), origin);
        assert.match(allowed.headers.get("access-control-allow-methods") ?? "", /POST/);
        assert.deepEqual(allowed.headers.get("access-control-allow-headers")?.split(", "), [
          "authorization",
          "content-type",
          "content-encoding",
          "idempotency-key",
          "x-read-key",
          "x-request-id",
          "x-write-key",
        ]);
        for (const body of [[sampleEvent()], "no batch"]) {
          const answer = await postBatch(url, body, { origin });
          assert.equal(answer.status, typeof body === "string" ? 400 : 200);
          assert.equal(answer.headers.get("access-control-allow-origin"), origin);
          assert.equal(
            answer.headers.get("access-control-expose-headers"),
            "retry-after, x-event-id, x-event-warnings, x-request-id",
          );
          assert.equal(answer.headers.get("vary"), "Origin");
        }
      }
    });

    it("preflights may ask for any header, such as those of tracing libraries", async () => {
      const { url } = await serve({ settings: testSettings({ corsOrigins: [SHOP] }) });
      const asked = "Baggage, content-type,sentry-trace,traceparent,x-datadog-trace-id,a(b";
      const headers = {
        origin: SHOP,
        "access-control-request-method": "POST",
        "access-control-request-headers": asked,
      };
      const answer = await fetch(`${url}/events/`, { method: "OPTIONS", headers });
      const allowed = answer.headers.get("access-control-allow-headers")?.split(", ") ?? [];
      for (const name of [
        "baggage",
        "content-type",
        "sentry-trace",
        "traceparent",
        "x-datadog-trace-id",
        "x-write-key",
      ]) {
        assert.ok(allowed.includes(name), name);
      }
      assert.ok(!allowed.includes("a(b"));
    });

    it("pages of other origins and of the own origin get no CORS headers", async () => {
      const { url } = await serve({ settings: testSettings({ corsOrigins: [SHOP] }) });
      for (const origin of ["https://shop.example.evil", "https://other.example", "null"]) {
        assert.equal((await preflight(url, origin)).status, 405);
        const answer = await postBatch(url, [sampleEvent()], { origin });
        assert.equal(answer.headers.get("access-control-allow-origin"), null);
        // A cache must not give the answer for one origin to another.
        assert.equal(answer.headers.get("vary"), "Origin");
      }
      assert.equal((await postBatch(url, [])).headers.get("access-control-allow-origin"), null);
    });

    it("pages of every origin get CORS headers when --cors-origins is *", async () => {
      const { url } = await serve({ settings: testSettings({ corsOrigins: ["*"] }) });
      for (const origin of ["https://any.example", "null"]) {
        assert.equal((await preflight(url, origin)).headers.get("access-control-allow-origin"), "*");
        assert.equal((await post(url, sampleEvent(), { origin })).headers.get("access-control-allow-origin"), "*");
      }
    });

    it("an OPTIONS request that is not a preflight is answered with 405", async () => {
      const { url } = await serve({ settings: testSettings({ corsOrigins: ["*"] }) });
      assert.equal((await fetch(`${url}/events/`, { method: "OPTIONS", headers: { origin: SHOP } })).status, 405);
    });
  });

  it("POST /event/ refuses events before --earliest-event and names the field and the date", async () => {
    const { url } = await serve({ settings: testSettings({ earliestEvent: "2020-03-01" }) });
    const early = await post(url, sampleEvent({ event_time: "2020-02-29T23:59:59.999Z" }));
    assert.equal(early.status, 400);
    assert.deepEqual(await errorsOf(early), [
      { field: "event_time", message: "must not be before 2020-03-01T00:00:00Z" },
    ]);
    assert.equal((await post(url, sampleEvent({ event_time: "2020-03-01" }))).status, 204);
  });

  it("a placeholder as user_id is published as null, named in the answer, and counted", async () => {
    const published: string[] = [];
    const keep = async (messages: readonly EventMessage[]): Promise<void> => {
      published.push(...messages.map(({ data }) => data.toString()));
    };
    const { url } = await serve({
      publisher: { ...acceptingPublisher, publish: (message) => keep([message]), publishAll: keep },
    });
    const single = await post(url, sampleEvent({ user_id: " NULL " }));
    assert.deepEqual([single.status, single.headers.get("x-event-warnings")], [204, "user_id placeholder"]);
    assert.equal((await post(url, sampleEvent())).headers.get("x-event-warnings"), null);
    const batch = await postBatch(url, [sampleEvent(), sampleEvent({ user_id: 0 }), {}]);
    const { accepted, warnings } = (await batch.json()) as { accepted: number; warnings: unknown };
    assert.equal(accepted, 2);
    const message = "must identify a user; the placeholder 0 was read as null";
    assert.deepEqual(warnings, [{ index: 1, field: "user_id", code: "placeholder", message }]);
    assert.deepEqual(Object.keys((await (await postBatch(url, [sampleEvent()])).json()) as object), [
      "accepted",
      "rejected",
    ]);
    assert.equal(published.filter((data) => data.includes('"user_id":null')).length, 2);
    const counted = 'ingest_event_warnings_total{field="user_id",warning="placeholder"}';
    assert.equal((await metricsOf(url)).get(counted), 2);
  });

  it("half of a surrogate pair is replaced in texts, with a warning, and refused in ids", async () => {
    const { url } = await serve();
    const half = { page: "a \ud83d", properties: { note: "\ude00" } };
    const single = await post(url, sampleEvent(half));
    assert.deepEqual(
      [single.status, single.headers.get("x-event-warnings")],
      [204, "page replaced, properties replaced"],
    );
    const batch = await postBatch(url, [sampleEvent({ session_id: "\ud83d" }), sampleEvent(half)]);
    const { accepted, rejected, warnings } = (await batch.json()) as {
      accepted: number;
      rejected: { index: number; errors: { field: string }[] }[];
      warnings: { index: number; field: string; code: string }[];
    };
    assert.deepEqual([accepted, rejected[0]?.index, rejected[0]?.errors[0]?.field], [1, 0, "session_id"]);
    assert.deepEqual(
      warnings.map(({ index, field, code }) => [index, field, code]),
      [
        [1, "page", "replaced"],
        [1, "properties", "replaced"],
      ],
    );
    const counted = 'ingest_event_warnings_total{field="page",warning="replaced"}';
    assert.equal((await metricsOf(url)).get(counted), 2);
  });

  it("POST /event/ refuses numbers in properties that would lose digits, and names them", async () => {
    const { url } = await serve();
    const withOrder = (n: string): string =>
      JSON.stringify(sampleEvent()).replace(/}$/, `,"properties":{"order":${n}}}`);
    for (const number of ["9007199254740993", "1524831183200260097", "123456789012345678901234567890"]) {
      const refused = await post(url, withOrder(number));
      assert.equal(refused.status, 400);
      const [error] = await errorsOf(refused);
      assert.deepEqual([error?.field, error?.message.includes(number)], ["properties", true]);
    }
    assert.equal((await post(url, withOrder("9007199254740991"))).status, 204);
  });

  it("an unexpected error is logged and answered with 500 without details", async () => {
    const publish = (): Promise<never> => Promise.reject(new TypeError("the inner secret"));
    const { url, lines } = await serve({
      publisher: { ...acceptingPublisher, publish },
    });
    const response = await post(url, sampleEvent());
    assert.equal(response.status, 500);
    assert.deepEqual(await errorsOf(response), [{ field: "", message: "Internal error" }]);
    const id = response.headers.get("x-request-id") ?? "none";
    const [error, access, ...more] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.match(JSON.stringify(error?.err), /the inner secret/);
    assert.deepEqual([error?.requestId, error?.method, error?.route], [id, "POST", "/event/"]);
    assert.deepEqual([access?.requestId, access?.status, access?.error, more.length], [id, 500, "INTERNAL", 0]);
    assert.doesNotMatch(lines.join(), /session-1|user-1|127\.0\.0\.1/);
  });

  it("a stopping replica sends Connection: close and is not ready", async () => {
    const { url } = await serve({ isDraining: () => true });
    const response = await post(url, sampleEvent());
    assert.equal(response.status, 204);
    assert.equal(response.headers.get("connection"), "close");
    const readiness = await fetch(`${url}/readyz`);
    assert.equal(readiness.status, 503);
    assert.match(await readiness.text(), /stopping/);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
  });

  describe("bodies", () => {
    const HEAD = "POST /event/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";

    it("a body in several pieces is accepted, with and without chunked encoding", async () => {
      const { url, port } = await serve();
      const json = JSON.stringify(sampleEvent());
      const chunks = Array.from(json, (c) => `1\r\n${c}\r\n`).join("") + "0\r\n\r\n";
      assert.match(await sendRaw(port, `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunks}`), /^HTTP\/1\.1 204 /);
      assert.equal((await post(url, json)).status, 204);
    });

    it("a byte order mark at the start of a body is ignored, and only there", async () => {
      const { url } = await serve();
      const mark = "\ufeff";
      const json = JSON.stringify(sampleEvent());
      assert.equal((await post(url, mark + json)).status, 204);
      assert.equal((await post(url, gzipSync(mark + json), { "content-encoding": "gzip" })).status, 204);
      assert.equal((await post(url, mark + mark + json)).status, 400);
      const lines = { "content-type": "application/x-ndjson" };
      for (const [body, headers] of [
        [`${mark}[${json}]`, {}],
        [`${mark}${json}\n${json}`, lines],
      ] as const) {
        const answer = await postBatch(url, body, headers);
        assert.deepEqual([answer.status, ((await answer.json()) as { rejected: unknown[] }).rejected], [200, []]);
      }
    });

    it("a body over the limit is answered with 413, and the connection serves the next request", async () => {
      const { port } = await serve();
      const large = "x".repeat(1025);
      const head = HEAD.replace("Connection: close\r\n", "");
      const answer = await sendRaw(
        port,
        `${head}Content-Length: 1025\r\n\r\n${large}GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1\.1 413 [^]*1024 bytes[^]*HTTP\/1\.1 200 /);
    });

    it("a body of exactly the limit is accepted", async () => {
      const { url } = await serve();
      const json = JSON.stringify(sampleEvent());
      assert.equal((await post(url, json + " ".repeat(1024 - json.length))).status, 204);
      assert.equal((await post(url, json + " ".repeat(1025 - json.length))).status, 413);
    });

    it("a body far over the limit is not read to its end, with and without Content-Length", async () => {
      const { port } = await serve();
      assert.match(await sendRaw(port, `${HEAD}Content-Length: 999999999\r\n\r\n{`), /^HTTP\/1\.1 413 /);
      const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
      assert.match(
        await sendRaw(port, `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`),
        /^HTTP\/1\.1 413 /,
      );
    });

    it("invalid HTTP is answered with an error body, and the replica keeps working", async () => {
      const { url, port } = await serve();
      for (const garbage of [
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "GARBAGE\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
      ]) {
        const answer = await sendRaw(port, Buffer.from(garbage, "latin1"));
        assert.match(answer, /^HTTP\/1\.1 400 [^]*\{"errors":\[\{"field":"","message":"/);
      }
      const answer = await sendRaw(port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(70_000)}\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 431 /);
      assert.equal((await fetch(`${url}/healthz`)).status, 200);
    });

    it("a compressed body is accepted, and its limit applies after decompression", async () => {
      const { url } = await serve();
      const json = JSON.stringify(sampleEvent());
      const full = json + " ".repeat(1024 - json.length);
      for (const [encoding, compress] of [["gzip", gzipSync] as const, ["br", brotliCompressSync] as const]) {
        const headers = { "content-encoding": encoding };
        assert.equal((await post(url, compress(full), headers)).status, 204);
        assert.equal((await post(url, compress(full + " "), headers)).status, 413);
        const bomb = compress(Buffer.alloc(50_000_000, " "));
        const answer = await post(url, bomb.subarray(0, 1024), headers);
        assert.equal(answer.status, 413);
        const garbage = await post(url, json, headers);
        assert.deepEqual([garbage.status, (await errorsOf(garbage)).length], [400, 1]);
        assert.equal((await post(url, compress(full).subarray(0, -5), headers)).status, 400);
      }
    });

    it("a body that exceeds the shared memory for bodies is answered with 503", async () => {
      const { url, port } = await serve({ settings: testSettings({ maxBodyBytes: 1500 }) });
      const batchHead = HEAD.replace("/event/", "/events/");
      // Half of a body of 2,000 bytes: it waits for the rest.
      const slow = connect(port, "127.0.0.1");
      slow.write(`${batchHead}Content-Length: 2000\r\n\r\n[${" ".repeat(999)}`);
      const json = JSON.stringify(sampleEvent());
      const padded = json + " ".repeat(600 - json.length);
      await eventually(async () => (await post(url, padded)).status === 503, "no room for 600 bytes");
      const refused = await post(url, padded);
      assert.equal(refused.headers.get("retry-after"), "1");
      assert.match((await errorsOf(refused))[0]?.message ?? "", /nothing was accepted/);
      assert.equal((await post(url, json)).status, 204);
      slow.destroy();
      await eventually(async () => (await post(url, padded)).status === 204, "room again");
      // A refused request releases what it held.
      for (let i = 0; i < 20; i++) {
        assert.equal((await post(url, " ".repeat(1400))).status, 413);
        assert.equal((await post(url, gzipSync(" ".repeat(1400)), { "content-encoding": "gzip" })).status, 413);
      }
      assert.equal((await post(url, padded)).status, 204);
    });

    it("clients whose bodies stall get 503 when others need the memory", async () => {
      const { url, port } = await serve({ settings: testSettings({ maxBodyBytes: 1500 }) });
      const stalled = sendRaw(port, `${HEAD}Content-Length: 1000\r\n\r\n${" ".repeat(900)}`);
      const padded = JSON.stringify(sampleEvent()).padEnd(700);
      await eventually(async () => (await metricsOf(url)).get("ingest_body_bytes") === 900, "the body stalls");
      assert.equal((await post(url, padded)).status, 503);
      await eventually(async () => (await post(url, padded)).status === 204, "an event is accepted");
      assert.match(await stalled, /^HTTP\/1\.1 503 [^]*connection: close[^]*Too many request bodies/i);
      assert.equal((await metricsOf(url)).get("ingest_body_bytes"), 0);
    });

    it("clients that disconnect in the middle of a body do no harm", async () => {
      const { url, port, lines } = await serve();
      await Promise.all(
        Array.from({ length: 20 }, () => sendRaw(port, `${HEAD}Content-Length: 500\r\n\r\n{"type"`, 20)),
      );
      await sleep(50);
      assert.equal((await post(url, sampleEvent())).status, 204);
      assert.deepEqual(lines, []);
    });
  });
});
