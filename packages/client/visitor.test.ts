import assert from "node:assert/strict";
import { createClient, type Client, type ClientOptions, type Environment } from "./eventlogger";
import { FakePage, FakeStorage } from "./testing/fakePage";

const URL_ = "https://events.example";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe("the anonymous id of the client", () => {
  let page: FakePage;
  beforeEach(() => (page = new FakePage()));
  const open = (options: Partial<ClientOptions> = {}, changes: Partial<Environment> = {}): Client =>
    createClient({ url: URL_, ...options }, page.environment(changes));
  const sent = (field: string): unknown[] => page.events.map((event) => event[field]);

  it("is on every event, stays the same on the next page and in other tabs, and is kept in localStorage", async () => {
    const first = open();
    first.track("a");
    const other = open();
    other.track("b");
    await Promise.all([first.flush(), other.flush()]);
    await page.clock.advance(40 * 60_000);
    const next = open();
    next.track("c");
    await next.flush();
    const ids = sent("anonymous_id");
    assert.equal(new Set(ids).size, 1);
    assert.match(String(ids[0]), UUID);
    assert.equal(next.anonymousId(), ids[0]);
    assert.equal(page.storage.getItem("eventlogger.anonymous"), ids[0]);
    assert.equal(new Set(sent("session_id")).size, 2, "the session of the last page is another one");
  });

  it("falls back to sessionStorage, then to memory, and storage that fails never throws", async () => {
    const session = new FakeStorage();
    const fail = (): never => assert.fail("QuotaExceededError");
    const forbidden = page.environment();
    for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(forbidden, name, { get: fail });
    const full = { length: 0, key: () => null, getItem: () => null, setItem: fail, removeItem: fail };
    const foreign = { ...full, getItem: () => "not an id \n" };
    const environments = [
      page.environment({ localStorage: undefined, sessionStorage: session }),
      page.environment({ localStorage: undefined }),
      page.environment({ localStorage: full }),
      page.environment({ localStorage: foreign }),
      forbidden,
    ];
    for (const environment of environments) {
      page.requests.length = 0;
      const client = createClient({ url: URL_ }, environment);
      client.track("a");
      client.track("b");
      assert.deepEqual(await client.flush(), { sent: 2, dropped: 0, pending: 0 });
      const [a, b] = sent("anonymous_id");
      assert.match(String(a), UUID);
      assert.equal(a, b);
      client.reset();
      assert.notEqual(client.anonymousId(), a);
      assert.equal(client.anonymousId(), client.anonymousId());
    }
    assert.match(String(session.getItem("eventlogger.anonymous")), UUID);
  });

  it("is sent together with the user after identify, which links both", async () => {
    const client = open();
    client.track("before");
    client.identify("u-1");
    client.track("after");
    client.identify(null);
    client.track("logged out");
    await client.flush();
    const id = client.anonymousId();
    assert.deepEqual(sent("anonymous_id"), [id, id, id]);
    assert.deepEqual(sent("user_id"), [null, "u-1", null]);
  });

  it("is a new one after reset, with a new session and no user, also in the other tabs", async () => {
    const [client, other] = [open({ userId: "u-1" }), open()];
    client.track("a");
    client.reset();
    client.track("b");
    other.track("c");
    await Promise.all([client.flush(), other.flush()]);
    const [a, b, c] = sent("anonymous_id");
    const [sa, sb, sc] = sent("session_id");
    assert.ok(a !== b && b === c && sa !== sb && sb === sc);
    assert.deepEqual(sent("user_id"), ["u-1", null, null]);
  });

  it("alias queues an event that links the client's own anonymous id, or another one, to a user", async () => {
    const client = open();
    assert.match(String(client.alias("u-1")), UUID);
    client.alias(2, "device-9", { page: "/import" });
    client.track("after");
    await client.flush();
    assert.deepEqual(sent("event_name"), ["alias", "alias", "after"]);
    assert.deepEqual(sent("user_id"), ["u-1", "2", null]);
    assert.deepEqual(sent("anonymous_id"), [client.anonymousId(), "device-9", client.anonymousId()]);
    assert.equal(page.events[1]?.page, "/import");
  });

  it("does not exist in Node, where one process acts for many people, and alias needs both ids there", async () => {
    const client = open({}, { document: undefined, location: undefined, process: { versions: { node: "22.0.0" } } });
    assert.equal(client.anonymousId(), null);
    const session = { session_id: "s-1" };
    assert.throws(() => client.alias("u-1", undefined, session), /^TypeError: anonymousId: is required in Node/);
    assert.throws(() => client.alias("u-1", "a-1"), /^TypeError: session_id: is required in Node/);
    client.alias("u-1", "a-1", session);
    client.track("order", session);
    client.track("order", { ...session, anonymous_id: 7 });
    assert.deepEqual(await client.close(), { sent: 3, dropped: 0, pending: 0 });
    assert.deepEqual(sent("anonymous_id"), ["a-1", undefined, "7"]);
    assert.equal(page.storage.length, 0);
  });

  it("debug mode prints events, answers and drops on the console, and nothing is printed without it", async () => {
    const lines: unknown[][] = [];
    const console = { warn: () => undefined, log: (...values: unknown[]) => void lines.push(values) };
    page.answering = ({ events }) => {
      const warnings = [{ index: 0, field: "pgae", message: "did you mean page?" }];
      return { status: 200, body: { accepted: events.length, rejected: [], warnings } };
    };
    const quiet = open({}, { console });
    quiet.track("quiet");
    await quiet.flush();
    assert.equal(lines.length, 0);
    const client = open({ debug: true, maxQueue: 1 }, { console });
    client.track("a", { page: "/cart" });
    client.track("b");
    await client.flush();
    assert.deepEqual(
      lines.map(([name, what]) => [name, what]),
      [
        ["eventlogger:", "track"],
        ["eventlogger:", "track"],
        ["eventlogger:", "queue-full"],
        ["eventlogger:", "answer"],
      ],
    );
    assert.match(JSON.stringify(lines), /"\/cart".*"did you mean page\?"/);
  });

  it("every request has sent_at, the time of the request by the clock of the client", async () => {
    page.answering = () => ({ status: 503 });
    const client = open({ flushInterval: 1000 });
    const start = page.clock.now;
    client.track("a");
    await page.clock.advance(1000);
    page.hide();
    await page.clock.advance(5000);
    page.leave();
    assert.ok(page.requests.length >= 3);
    const times = page.requests.map(({ sent_at }) => sent_at);
    assert.equal(times[0], start + 1000);
    assert.ok(times.every((time, i) => i === 0 || time >= (times[i - 1] as number)) && (times[1] as number) > start);
    assert.deepEqual(new Set(sent("event_time")), new Set([start]));
  });
});
