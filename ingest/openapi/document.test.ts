import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import Ajv2020 from "ajv/dist/2020";
import type { SegmentEndpoint } from "@eventlogger/options/segmentPath";
import { createRouter, documentedSettings, type AppDeps } from "../http/app";
import { KeySet } from "../access/keys/keySet";
import { errorKinds, RequestError, type ErrorCode } from "../http/errors";
import { segmentPaths } from "../http/routePattern";
import { Metrics } from "../telemetry/metrics/metrics";
import { acceptingPublisher, appDeps, useAppServer, testSettings } from "../testing/appServer";
import { answerOf, conformance } from "../testing/conformance";
import { sampleEvent } from "../testing/requests";
import { openApiDocument, type OpenApiDocument } from "./document";
import { segmentExample } from "./segmentSchemas";

const document = openApiDocument(documentedSettings(appDeps()));

/** `post /event/ 204` and so on: everything the document says may happen. */
const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
  Object.entries(operations).flatMap(([method, { responses }]) =>
    Object.keys(responses).map((status) => `${method} ${path} ${status}`),
  ),
);

interface Case {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly deps?: Partial<AppDeps>;
}

const failing = (error: Error): Partial<AppDeps> => ({
  publisher: {
    ...acceptingPublisher,
    publish: () => Promise.reject(error),
    publishAll: () => Promise.reject(error),
    problem: () => Promise.resolve("Pub/Sub is away"),
  },
  rollups: { get: () => Promise.reject(error) },
  retention: { get: () => Promise.reject(error) },
  breakdowns: { get: () => Promise.reject(error) },
  hours: { get: () => Promise.reject(error) },
});
const refusing: Partial<AppDeps> = {
  publisher: {
    ...acceptingPublisher,
    assertCapacity() {
      throw new RequestError("TOO_MANY_IN_FLIGHT");
    },
  },
};
const overloaded: Partial<AppDeps> = { isOverloaded: () => true };
const event = sampleEvent();
const keys = new KeySet([{ name: "shop", key: "right" }]);
const away = failing(new RequestError("PUBSUB_TIMEOUT"));
const bug = failing(new TypeError("a bug"));

const access = (settings: Partial<AppDeps["access"]>): Partial<AppDeps> => ({
  access: { ...appDeps().access, ...settings },
});
/** A bucket that no token fits in. */
const NEVER = { perSec: 0.001, burst: 0.5 };
const brokenMetrics = new Metrics();
brokenMetrics.gauge("broken", "Cannot be read", () => Promise.reject(new TypeError("a bug")));

const withAnonymousId = (valid: unknown): unknown =>
  Array.isArray(valid) ? valid.map(withAnonymousId) : { ...(valid as object), anonymous_id: "a-1", anonymousId: "a-1" };

const bodyCases = (valid: unknown): Record<string, readonly Case[]> => ({
  401: [
    { body: valid, deps: access({ writeKeys: keys }) },
    { body: valid, headers: { "x-write-key": "wrong" }, deps: access({ writeKeys: keys }) },
  ],
  413: [{ body: " ".repeat(5000) }, { body: gzipSync(" ".repeat(5000)), headers: { "content-encoding": "gzip" } }],
  415: [
    { body: valid, headers: { "content-type": "application/xml" } },
    { body: valid, headers: { "content-encoding": "zstd" } },
  ],
  429: [
    { body: valid, deps: access({ addressRate: NEVER }) },
    { body: withAnonymousId(valid), deps: access({ addressNewIds: NEVER }) },
    {
      body: valid,
      headers: { "x-write-key": "right" },
      deps: access({ writeKeys: keys, keyRate: NEVER }),
    },
  ],
  500: [{ body: valid, deps: bug }],
  503: [
    { body: valid, deps: away },
    { body: valid, deps: failing(new RequestError("PUBSUB_REFUSED")) },
    { body: valid, deps: refusing },
    { body: valid, deps: overloaded },
    { body: valid, deps: { settings: testSettings({ maxBodyBytes: 1 }) } },
  ],
});
const BAD_BODIES: readonly Case[] = [
  { body: "" },
  { body: "{" },
  { body: new Uint8Array([0x22, 0xff, 0x22]) },
  { body: "[]", headers: { "content-encoding": "br" } },
];

/** Requests for numbers of BigQuery that are not answered with 200. */
const READ_CASES: Readonly<Record<string, readonly Case[]>> = {
  400: [{ query: "?from=x" }, { query: "?format=xml" }, { query: "?since=2024-01-01" }, { query: "?from=2010-01-01" }],
  401: [
    { deps: access({ readKeys: keys }) },
    { headers: { authorization: "Bearer wrong" }, deps: access({ readKeys: keys }) },
    // The query is kept in too many places for a key that reads.
    { query: "?key=right", deps: access({ readKeys: keys }) },
  ],
  429: [{ deps: access({ addressRate: NEVER }) }],
  500: [{ deps: bug }],
  503: [
    { deps: failing(new RequestError("BIGQUERY_UNAVAILABLE")) },
    { deps: failing(new RequestError("TOO_MANY_QUERIES")) },
    { deps: overloaded },
  ],
};

/** The cases with a parameter that the path requires. */
function withQuery(required: string, cases: Readonly<Record<string, readonly Case[]>>): Record<string, Case[]> {
  const query = (given: string | undefined): string => (given === undefined ? `?${required}` : `${given}&${required}`);
  return Object.fromEntries(
    Object.entries(cases).map(([status, ofStatus]) => [
      status,
      ofStatus.map((one) => ({ ...one, query: query(one.query) })),
    ]),
  );
}

/** Requests to an endpoint for Segment's libraries. Each call becomes an event, so the rules of events are tested elsewhere. */
function segmentCases(endpoint: SegmentEndpoint): Readonly<Record<string, readonly Case[]>> {
  const call = segmentExample(endpoint, "2024-05-17T08:30:00Z");
  const common = bodyCases(call);
  if (endpoint !== "batch") {
    const bad = [{ body: {} }, { body: [] }, { body: { ...call, timestamp: "soon" } }, ...BAD_BODIES];
    return { ...common, 200: [{ body: call }], 400: bad };
  }
  const batch = (...calls: unknown[]): object => ({ batch: calls, sentAt: "2024-05-17T08:30:01Z" });
  const valid = { type: "identify", userId: "u-1" };
  const warned = { ...valid, userId: "NaN", anonymousId: "a" };
  const ok = [call, batch(), batch(valid, {}, null), batch(warned)].map((body) => ({ body }));
  const bad = [{ body: "1" }, { body: {} }, { body: batch({}, { type: "track", userId: "u" }) }, ...BAD_BODIES];
  const tooMany = { body: batch(...Array<unknown>(11).fill(valid)) };
  return { ...common, 200: ok, 400: bad, 413: [...(common[413] ?? []), tooMany] };
}

/** All requests to the two kinds of endpoints, and one for each status to the others, which have the same code. */
const SEGMENT_CASES = Object.fromEntries(
  segmentPaths("/v1").map(({ endpoint, path }) => {
    const cases = segmentCases(endpoint);
    const isFirst = path === "/v1/batch" || path === "/v1/track";
    const some = Object.entries(cases).map(([status, [first]]) => [status, first ? [first] : []] as const);
    return [`post ${path}`, isFirst ? cases : Object.fromEntries(some)];
  }),
);

/** Requests for each operation and status. */
const CASES: Readonly<Record<string, Readonly<Record<string, readonly Case[]>>>> = {
  ...SEGMENT_CASES,
  "post /event/": {
    204: [
      { body: event },
      { body: { ...event, user_id: "null" } },
      { body: event, headers: { "content-type": "text/plain" } },
      { body: { ...event, "": 1, userId: "u", "event\nname": 1, event_id: "ü %" } },
      { body: { ...event, event_time: 0, sent_at: 0, referrer: "about:blank", anonymous_id: "null" } },
    ],
    400: [
      ...BAD_BODIES,
      { body: {} },
      { body: { ...event, event_time: "2009-12-31" } },
      { body: { ...event, session_id: "a\u0000" } },
      { body: { ...event, "": 1 }, deps: { settings: testSettings({ unknownFields: "refuse" }) } },
    ],
    ...bodyCases(event),
  },
  "post /events/": {
    200: [
      { body: [] },
      { body: { events: [event], sent_at: 1_700_000_000 } },
      { body: { events: [event], "": 1 } },
      { body: [event, {}, null] },
      { body: [event, { ...event, user_id: "Undefined" }] },
      { body: "{\n", headers: { "content-type": "application/x-ndjson" } },
    ],
    400: [
      ...BAD_BODIES,
      { body: "1" },
      { body: { events: 1 } },
      { body: { events: [], "": 1 }, deps: { settings: testSettings({ unknownFields: "refuse" }) } },
      { body: { events: [], sent_at: "soon" } },
      { body: [], headers: { "idempotency-key": "" } },
    ],
    ...bodyCases([event]),
    413: [...(bodyCases([event])[413] ?? []), { body: Array(11).fill(1) }],
  },
  "get /event/": {
    200: [
      ...[{}, { query: "?from=2024-01-01&to=2024-02-01" }, { query: "?from=2024-05-01&to=2024-05-31&date_format=iso" }],
      ...[{ query: "?format=csv" }, { headers: { accept: "text/csv" } }],
    ],
    ...READ_CASES,
  },
  "get /retention/": {
    200: [{}, { query: "?from=2024-05-01&to=31/05/2024" }, { query: "?format=csv" }],
    ...READ_CASES,
  },
  "get /breakdowns/": {
    ...withQuery("dimension=country", READ_CASES),
    200: [
      { query: "?dimension=country" },
      { query: "?dimension=country&format=csv" },
      { query: "?dimension=properties.plan&from=2024-05-17&to=17/05/2024&limit=1" },
    ],
    400: [
      {},
      { query: "?dimension=country&from=x" },
      { query: "?dimension=weather" },
      { query: "?dimension=page" },
      { query: "?dimension=country&limit=1001" },
      { query: "?dimension=country&dimension=page" },
    ],
  },
  "get /hours/": {
    ...READ_CASES,
    200: [{}, { query: "?date=2024-05-01" }, { query: "?date=01/05/2024" }, { query: "?format=csv" }],
    400: [{ query: "?date=x" }, { query: "?from=2024-05-01" }, { query: "?date=2024-05-01&date=2024-05-02" }],
  },
  "get /client/eventlogger.js": {
    200: [{}, { headers: { "accept-encoding": "identity" } }],
    // Without its own Cache-Control, fetch would ask for a new copy.
    304: [{ headers: { "if-none-match": "*", "cache-control": "max-age=0" } }],
    503: [{ deps: overloaded }],
  },
  "get /dashboard/": {
    200: [{}, { headers: { "accept-encoding": "identity" } }],
    304: [{ headers: { "if-none-match": "*", "cache-control": "max-age=0" } }],
    503: [{ deps: overloaded }],
  },
  "get /healthz": { 200: [{}, { deps: overloaded }] },
  "get /readyz": { 200: [{}, { deps: overloaded }], 503: [{ deps: away }, { deps: { isDraining: () => true } }] },
  "get /metrics": { 200: [{}, { deps: overloaded }], 500: [{ deps: { metrics: brokenMetrics } }] },
  "get /openapi.json": { 200: [{}], 503: [{ deps: overloaded }] },
};

describe("the OpenAPI document", () => {
  const serve = useAppServer();

  async function send(url: string, method: string, { body, headers }: Case): Promise<Response> {
    const raw = typeof body === "string" || body instanceof Uint8Array;
    return fetch(url, {
      method,
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
    });
  }

  it("GET /openapi.json returns the OpenAPI document", async () => {
    const { url } = await serve();
    const response = await fetch(`${url}/openapi.json`);
    assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
    const served = (await response.json()) as OpenApiDocument;
    assert.deepEqual(served, JSON.parse(JSON.stringify(document)));
    assert.equal(served.openapi, "3.1.0");
  });

  it("the OpenAPI document has every route of the service and no other", () => {
    const routes = createRouter(appDeps()).router.stack.flatMap(({ path, methods }) =>
      methods.filter((method) => method !== "HEAD").map((method) => `${method.toLowerCase()} ${String(path)}`),
    );
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path.replace(/\/$/, "")}`),
    );
    assert.deepEqual(routes.sort(), operations.sort());
  });

  it("this test has a request for every documented answer and for no other", () => {
    const tested = Object.entries(CASES).flatMap(([operation, statuses]) =>
      Object.keys(statuses).map((status) => `${operation} ${status}`),
    );
    assert.deepEqual(tested.sort(), [...documented].sort());
  });

  const deviation = conformance(document);
  for (const [operation, statuses] of Object.entries(CASES)) {
    const [method = "", path = ""] = operation.split(" ");
    for (const [status, cases] of Object.entries(statuses)) {
      it(`the OpenAPI document matches the answers of ${operation} ${status}`, async () => {
        for (const request of cases) {
          const { url } = await serve(request.deps);
          const response = await send(url + path + (request.query ?? ""), method.toUpperCase(), request);
          assert.equal(response.status, Number(status), JSON.stringify(request.body));
          assert.equal(deviation(await answerOf(method, url + path, response)), undefined);
        }
      });
    }
  }

  it("the service accepts the example of every request body in the OpenAPI document", async () => {
    const { url } = await serve();
    let examples = 0;
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, { requestBody }] of Object.entries(methods)) {
        for (const [type, { example }] of Object.entries(requestBody?.content ?? {})) {
          const body = example as string | object;
          const response = await send(url + path, method.toUpperCase(), { body, headers: { "content-type": type } });
          const answer = response.status === 204 ? {} : ((await response.json()) as { rejected?: unknown });
          assert.deepEqual([response.ok, answer.rejected ?? []], [true, []], `${method} ${path} ${type}`);
          examples++;
        }
      }
    }
    assert.ok(examples >= 4, `${examples} examples`);
  });

  it("the OpenAPI document names every error except those of unknown routes and of disconnected clients", () => {
    const elsewhere: readonly ErrorCode[] = ["NOT_FOUND", "METHOD_NOT_ALLOWED", "REQUEST_ABORTED"];
    const text = JSON.stringify(document.paths);
    for (const [code, { message }] of Object.entries(errorKinds)) {
      if (elsewhere.includes(code as ErrorCode)) continue;
      assert.ok(text.includes(JSON.stringify(message.replace("{}", "…")).slice(1, -1)), code);
    }
  });

  it("the OpenAPI document states the earliest event time of the replica", () => {
    const settings = testSettings({ earliestEvent: "2015-06-01" });
    const { Event } = openApiDocument(documentedSettings(appDeps({ settings }))).components.schemas;
    const fields = Event?.properties as Readonly<Record<string, { description: string }>>;
    assert.match(fields.event_time?.description ?? "", /not before 2015-06-01/);
  });

  it("the schemas of the OpenAPI document accept and reject what the service does", () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(document, "openapi");
    const matches = (name: string, value: unknown): boolean =>
      ajv.compile({ $ref: `openapi#/components/schemas/${name}` })(value);
    assert.ok(matches("Event", event));
    assert.ok(matches("Event", { ...event, colour: "red", anonymous_id: 42, sent_at: 1_700_000_000, referrer: "" }));
    assert.ok(!matches("Event", { ...event, anonymous_id: "", app: 1 }));
    assert.ok(!matches("Event", { ...event, session_id: "" }));
    assert.ok(!matches("Event", { ...event, session_id: "a\u0000" }));
    assert.ok(!matches("Event", { ...event, page: "x".repeat(1025) }));
    assert.ok(!matches("Event", { ...event, user_id: "x".repeat(257) }));
    assert.ok(matches("Event", { ...event, user_id: 42, session_id: 7, event_id: null, properties: null }));
    assert.ok(matches("Batch", [event]) && matches("Batch", { events: [event] }) && matches("Batch", []));
    assert.ok(
      matches("Batch", { events: [event], sent_at: 1 }) &&
        matches("Batch", { events: [event], more: 1 }) &&
        !matches("Batch", event),
    );
    assert.ok(!matches("Batch", Array(11).fill(event)));
  });

  it("conformance detects an answer that deviates from the document", () => {
    const answer = {
      method: "GET",
      path: "/healthz",
      status: 200,
      contentType: "application/json",
      retryAfter: null,
      requestId: "1",
      eventId: null,
      warnings: null,
    };
    assert.equal(deviation({ ...answer, body: '{"status":"ok"}' }), undefined);
    assert.match(deviation({ ...answer, body: '{"status":"bad"}' }) ?? "", /must be equal to constant/);
    assert.match(deviation({ ...answer, body: '{"status":"ok","more":1}' }) ?? "", /additional properties/);
    assert.match(deviation({ ...answer, status: 201, body: "" }) ?? "", /201 is not documented/);
    assert.match(deviation({ ...answer, path: "/other", body: "" }) ?? "", /\/other is not documented/);
    assert.match(deviation({ ...answer, contentType: "text/html", body: "" }) ?? "", /text\/html/);
    assert.match(deviation({ ...answer, retryAfter: "1", body: "" }) ?? "", /Retry-After/);
    assert.match(deviation({ ...answer, warnings: "user_id placeholder", body: "" }) ?? "", /X-Event-Warnings/);
    assert.match(deviation({ ...answer, eventId: "e", body: "" }) ?? "", /X-Event-Id is e/);
    assert.match(deviation({ ...answer, requestId: null, body: "" }) ?? "", /X-Request-Id is absent/);
  });
});
