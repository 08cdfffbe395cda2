import assert from "node:assert/strict";
import { freePort } from "@eventlogger/process/ports";
import { startEventServer, type EventServer } from "../testing/eventServer";
import { EventSender, retryAfterMs, type EventSenderOptions } from "./eventSender";

describe("EventSender", () => {
  let server: EventServer;
  const senders: EventSender[] = [];
  beforeEach(async () => (server = await startEventServer()));
  afterEach(async () => {
    for (const s of senders.splice(0)) s.close();
    await server.stop();
  });

  function sender(options: Partial<EventSenderOptions> = {}): EventSender {
    const sender = new EventSender({
      url: server.url,
      connections: 2,
      retryForMs: 5000,
      signal: new AbortController().signal,
      ...options,
    });
    senders.push(sender);
    return sender;
  }

  it("EventSender posts events over keep-alive connections", async () => {
    const target = sender();
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, n) => target.send({ n })));
    assert.ok(outcomes.every((o) => o.kind === "accepted"));
    assert.equal(server.requests.length, 20);
    assert.equal(server.requests[0]?.path, "/event/");
    assert.equal(server.connections, 2);
  });

  it("EventSender sends its write key, if it has one", async () => {
    await sender({ writeKey: "a-key" }).send({});
    await sender().send({});
    assert.deepEqual(
      server.requests.map(({ headers }) => headers["x-write-key"]),
      ["a-key", undefined],
    );
  });

  it("EventSender sends each event with its own user agent, if it has one", async () => {
    const own = sender({ userAgentOf: (event) => ("bot" in event ? "a-bot" : undefined) });
    await own.send({});
    await own.send({ bot: true });
    assert.deepEqual(
      server.requests.map(({ headers }) => headers["user-agent"]),
      [undefined, "a-bot"],
    );
  });

  it("EventSender does not retry a refused event and returns the reason", async () => {
    server.answer = () => ({ status: 400 });
    const outcome = await sender().send({});
    assert.deepEqual(outcome, {
      kind: "refused",
      status: 400,
      body: '{"errors":[{"field":"x","message":"is wrong"}]}',
    });
    assert.equal(server.requests.length, 1);
  });

  it("EventSender waits as long as a busy server asks for, then sends the same event again", async () => {
    server.answer = (nth) => (nth === 1 ? { status: 503, headers: { "Retry-After": "1" } } : { status: 204 });
    const retries: string[] = [];
    const start = Date.now();
    const outcome = await sender({ onRetry: (reason) => retries.push(reason) }).send({ id: 1 });
    assert.equal(outcome.kind, "accepted");
    assert.ok(Date.now() - start >= 990);
    assert.deepEqual(
      server.requests.map((r) => r.body),
      [{ id: 1 }, { id: 1 }],
    );
    assert.deepEqual(retries, ["status 503"]);
  });

  it("EventSender gives up when the server is unreachable for too long", async () => {
    const url = new URL(`http://127.0.0.1:${await freePort()}/event/`);
    const outcome = await sender({ url, retryForMs: 300 }).send({});
    assert.deepEqual(outcome, { kind: "failed", reason: "ECONNREFUSED" });
  });

  it("EventSender stops waiting when it is aborted", async () => {
    server.answer = () => ({ status: 503, headers: { "Retry-After": "30" } });
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 100);
    const outcome = await sender({ signal: stop.signal, retryForMs: 60_000 }).send({});
    assert.deepEqual(outcome, { kind: "failed", reason: "stopped after status 503" });
  });
});

describe("retryAfterMs", () => {
  it("retryAfterMs parses seconds and dates", () => {
    const now = Date.parse("2024-05-17T12:00:00Z");
    assert.equal(retryAfterMs("2", now), 2000);
    assert.equal(retryAfterMs("Fri, 17 May 2024 12:00:05 GMT", now), 5000);
    assert.equal(retryAfterMs("Fri, 17 May 2024 11:00:00 GMT", now), 0);
    assert.equal(retryAfterMs("soon", now), undefined);
    assert.equal(retryAfterMs(undefined, now), undefined);
  });
});
