import assert from "node:assert/strict";
import { pino } from "pino";
import { KeySet } from "../access/keys/keySet";
import { RequestError } from "../http/errors";
import { AccessLog } from "./accessLog";
import { acceptingPublisher, appDeps, useAppServer, testSettings } from "../testing/appServer";
import { eventually } from "../testing/fixture";
import { metricsOf } from "../testing/metrics";
import { post, postBatch, sampleEvent, sendRaw } from "../testing/requests";

const OPEN = appDeps().access;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("request telemetry", () => {
  const serve = useAppServer();

  describe("request ids", () => {
    it("every answer has the request id of the request if it is valid, else a new one", async () => {
      const { url } = await serve({ settings: testSettings({ corsOrigins: ["https://shop.example"] }) });
      const idOf = async (id: string, path = "/healthz", init: RequestInit = {}): Promise<string | null> => {
        const headers = { ...(init.headers as Record<string, string>), "x-request-id": id };
        return (await fetch(url + path, { ...init, headers })).headers.get("x-request-id");
      };
      for (const sane of ["1", "4bf92f3577b34da6a3ce929d0e0e4736", "Root=1:a/b.c+d_e-f", "x".repeat(128)]) {
        assert.equal(await idOf(sane), sane);
        for (const path of ["/nowhere", "/event/", "/metrics"]) assert.equal(await idOf(sane, path), sane);
        assert.equal(await idOf(sane, "/event/", { method: "POST", body: "{" }), sane);
        const preflight = { origin: "https://shop.example", "access-control-request-method": "POST" };
        assert.equal(await idOf(sane, "/event/", { method: "OPTIONS", headers: preflight }), sane);
      }
      for (const other of ["", "x".repeat(129), "two words", "me@shop.example", '"><script>', "a;b", "\xe9"]) {
        assert.match((await idOf(other)) ?? "", UUID);
      }
      assert.notEqual(await idOf(""), await idOf(""));
    });
  });

  describe("metrics", () => {
    it("metrics count requests by method, route and code, in few series for any requests", async () => {
      const { url, port } = await serve();
      await post(url, sampleEvent());
      await post(url, sampleEvent());
      await post(url, "{");
      await fetch(`${url}/event?from=2024-01-01&to=2024-01-31`);
      await fetch(`${url}/event?secret=1`);
      for (let i = 0; i < 30; i++) await fetch(`${url}/secret-${i}`);
      for (const method of ["PUT", "DELETE", "PATCH"]) await fetch(`${url}/event/`, { method });
      await sendRaw(port, "PROPFIND /event/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      const metrics = await metricsOf(url);
      const name = "ingest_http_requests_total";
      assert.equal(metrics.get(`${name}{method="POST",route="/event/",code="204"}`), 2);
      assert.equal(metrics.get(`${name}{method="POST",route="/event/",code="400"}`), 1);
      assert.equal(metrics.get(`${name}{method="GET",route="/event/",code="200"}`), 1);
      assert.equal(metrics.get(`${name}{method="GET",route="/event/",code="400"}`), 1);
      assert.equal(metrics.get(`${name}{method="GET",route="other",code="404"}`), 30);
      assert.equal(metrics.get(`${name}{method="other",route="/event/",code="405"}`), 4);
      assert.equal(metrics.get('ingest_http_request_duration_seconds_count{method="POST",route="/event/"}'), 3);
      assert.equal(metrics.get('ingest_http_refusals_total{reason="INVALID_JSON"}'), 1);
      assert.equal(metrics.get('ingest_http_refusals_total{reason="NOT_FOUND"}'), 30);
      assert.ok(![...metrics.keys()].some((series) => series.includes("secret")));
    });

    it("metrics count accepted events by key name and rejected events by invalid field", async () => {
      const writeKeys = new KeySet([{ name: "shop", key: "the-key" }]);
      const settings = testSettings({ unknownFields: "refuse" });
      const { url } = await serve({ access: { ...OPEN, writeKeys }, settings });
      const headers = { "x-write-key": "the-key" };
      await post(url, sampleEvent(), headers);
      await post(url, sampleEvent({ "made-up": 1 }), headers);
      await post(url, sampleEvent({ event_time: "soon" }), headers);
      await postBatch(url, [sampleEvent(), sampleEvent(), sampleEvent({ session_id: "" }), 1], headers);
      await post(url, sampleEvent());
      const metrics = await metricsOf(url);
      assert.equal(metrics.get('ingest_events_accepted_total{key="shop"}'), 3);
      for (const reason of ["event_time", "unknown_field", "session_id", "no_event"]) {
        assert.equal(metrics.get(`ingest_events_rejected_total{reason="${reason}"}`), 1, reason);
      }
      assert.equal(metrics.get("ingest_batch_events_sum"), 4);
      assert.equal(metrics.get('ingest_batch_events_bucket{le="5"}'), 1);
      assert.equal(metrics.get('ingest_http_refusals_total{reason="KEY_MISSING"}'), 1);
      assert.ok(![...metrics.keys()].some((series) => /the-key|made-up/.test(series)));
    });

    it("metrics count no event as accepted before it is acknowledged", async () => {
      const publish = (): Promise<never> => Promise.reject(new RequestError("PUBSUB_TIMEOUT"));
      const { url } = await serve({ publisher: { ...acceptingPublisher, publish, publishAll: publish } });
      assert.equal((await post(url, sampleEvent())).status, 503);
      assert.equal((await postBatch(url, [sampleEvent(), {}])).status, 503);
      const metrics = await metricsOf(url);
      assert.equal(metrics.get('ingest_events_accepted_total{key=""}'), 0);
      assert.equal(metrics.get('ingest_http_refusals_total{reason="PUBSUB_TIMEOUT"}'), 2);
      assert.ok(![...metrics.keys()].some((series) => series.startsWith("ingest_events_rejected_total")));
    });

    it("/metrics is answered while the replica is overloaded", async () => {
      const { url } = await serve({ isOverloaded: () => true });
      assert.equal((await post(url, sampleEvent())).status, 503);
      assert.equal((await metricsOf(url)).get('ingest_http_refusals_total{reason="OVERLOADED"}'), 1);
    });
  });

  it("the access log has one line per request in mode all, without data of the client", async () => {
    const lines: string[] = [];
    const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
    const writeKeys = new KeySet([{ name: "shop", key: "the-key" }]);
    const accessLog = new AccessLog({ mode: "all", slowMs: 1000, logger });
    const { url } = await serve({ access: { ...OPEN, writeKeys }, accessLog, logger });
    const query = "?key=the-key";
    await fetch(`${url}/events/${query}`, { method: "POST", body: JSON.stringify([sampleEvent()]) });
    await fetch(`${url}/event/${query}`, { method: "POST", body: "{", headers: { "x-request-id": "mine" } });
    await fetch(`${url}/someone@shop.example`);
    await eventually(() => lines.length === 3, "three lines");
    const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      records.map(({ method, route, status, error, key }) => [method, route, status, error, key]),
      [
        ["POST", "/events/", 200, undefined, "shop"],
        ["POST", "/event/", 400, "INVALID_JSON", "shop"],
        ["GET", "other", 404, "NOT_FOUND", undefined],
      ],
    );
    assert.equal(records[1]?.requestId, "mine");
    assert.ok(records.every(({ durationMs }) => typeof durationMs === "number" && durationMs >= 0));
    assert.doesNotMatch(lines.join(), /the-key|session-1|someone|127\.0\.0\.1|localhost/);
  });
});
