import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import {
  createClient,
  type Client,
  type ClientOptions,
  type ClientStorage,
  type Drop,
  type Environment,
} from "./eventlogger";
import { accepting, FakePage } from "./testing/fakePage";

const URL_ = "https://events.example";

describe("the consent switch of the client", () => {
  let page: FakePage;
  let drops: Drop[];
  beforeEach(() => {
    page = new FakePage();
    drops = [];
  });
  const open = (options: Partial<ClientOptions> = {}, changes: Partial<Environment> = {}): Client =>
    createClient({ url: URL_, onDrop: (drop) => drops.push(drop), ...options }, page.environment(changes));

  it("with requireConsent nothing is read, stored or sent before consent, and then the events of the page are sent", async () => {
    const untouched = { get: () => assert.fail("storage was used") };
    const environment = page.environment();
    let isAllowed = false;
    Object.defineProperty(environment, "localStorage", { get: () => (isAllowed ? page.storage : untouched.get()) });
    const client = createClient({ url: URL_, requireConsent: true, batchSize: 1 }, environment);
    const tracked = [client.track("a"), client.track("b", { session_id: "s-1" })];
    client.identify("u-1");
    tracked.push(client.track("c"));
    assert.equal(client.anonymousId(), null);
    await page.clock.advance(3_600_000);
    page.hide();
    page.show();
    assert.deepEqual(page.requests, []);
    isAllowed = true;
    client.consent(true);
    client.consent(true);
    assert.deepEqual(await client.flush(), { sent: 3, dropped: 0, pending: 0 });
    assert.deepEqual(
      page.events.map(({ event_id, user_id, anonymous_id }) => [event_id, user_id, anonymous_id]),
      tracked.map((id, i) => [id, i === 2 ? "u-1" : null, client.anonymousId()]),
    );
    assert.equal(page.events[1]?.session_id, "s-1");
    assert.equal(page.events[0]?.session_id, page.events[2]?.session_id);
  });

  it("calls of reset before consent take effect in their order", async () => {
    const client = open({ requireConsent: true });
    client.track("a");
    client.reset();
    client.track("b");
    client.consent(true);
    await client.flush();
    const [a, b] = page.events;
    assert.ok(a?.anonymous_id !== b?.anonymous_id && a?.session_id !== b?.session_id);
    assert.equal(b?.anonymous_id, client.anonymousId());
  });

  it("withdrawing removes everything stored, aborts requests, drops the queue, and later consent starts with new ids", async () => {
    page.answering = () => "none";
    const client = open({ batchSize: 2 });
    for (const name of ["a", "b", "c"]) client.track(name);
    const before = client.anonymousId();
    page.storage.setItem("basket", "3");
    client.consent(false);
    await page.clock.advance(3_600_000);
    assert.deepEqual([...page.storage.items.keys()], ["basket"]);
    assert.equal(page.requests.length, 1);
    assert.equal(client.track("d"), null);
    assert.equal(client.anonymousId(), null);
    await turn();
    assert.deepEqual(
      drops.map(({ event, reason }) => [event.event_name, reason]),
      ["a", "b", "c", "d"].map((name) => [name, "no-consent"]),
    );
    assert.deepEqual([...page.storage.items.keys()], ["basket"]);
    page.answering = accepting;
    client.consent(true);
    client.track("e");
    assert.deepEqual(await client.flush(), { sent: 1, dropped: 4, pending: 0 });
    assert.notEqual(page.events.at(-1)?.anonymous_id, before);
  });

  it("a refusal removes what an earlier page has stored with consent, and prints no warning", async () => {
    const earlier = open();
    earlier.track("a");
    page.die();
    page = new FakePage(page.storage);
    const warn = (text: string): never => assert.fail(text);
    const client = open({ requireConsent: true, onDrop: undefined }, { console: { warn } });
    client.track("b");
    assert.ok(page.storage.length > 0);
    client.consent(false);
    await page.clock.advance(1000);
    assert.deepEqual([page.storage.length, page.requests.length], [0, 0]);
  });

  it("withdrawing in one tab withdraws in the other tabs", async () => {
    const [one, other] = [open(), open()];
    one.track("a");
    other.track("b");
    one.consent(false);
    page.storageChanged("eventlogger.session", null);
    page.storageChanged("eventlogger.anonymous", "another-id");
    assert.notEqual(other.track("still allowed"), null);
    page.storageChanged("eventlogger.anonymous", null);
    assert.equal(other.track("c"), null);
    await page.clock.advance(10_000);
    assert.deepEqual([page.storage.length, page.requests.length], [0, 0]);
  });
});

describe("the storage adapter of the client", () => {
  const app = { document: undefined, location: undefined, localStorage: undefined, URL: undefined, process: {} };
  let items: Map<string, string>;
  let calls: string[];
  /** A storage like that of React Native: every call takes a turn, and only one write is allowed at a time. */
  let storage: ClientStorage;
  beforeEach(() => {
    items = new Map();
    calls = [];
    let isWriting = false;
    const write = async (call: string, change: () => void): Promise<void> => {
      assert.equal(isWriting, false, "two writes at once");
      isWriting = true;
      calls.push(call);
      await turn();
      change();
      isWriting = false;
    };
    storage = {
      get: async (key: string) => (await turn(), items.get(key) ?? null),
      set: (key, value) => write(`set ${key}`, () => items.set(key, value)),
      remove: (key) => write(`remove ${key}`, () => items.delete(key)),
    };
  });
  const start = (page: FakePage, options: Partial<ClientOptions> = {}): Client =>
    createClient({ url: URL_, storage, ...options }, page.environment(app));

  it("keeps the anonymous id, the session and the queue over a restart of the app, under one key", async () => {
    const first = new FakePage();
    first.answering = () => "network";
    const client = start(first);
    const tracked = [client.track("a"), client.track("b")];
    assert.equal(client.anonymousId(), null, "the storage is not loaded yet");
    await first.clock.advance(3000);
    const id = client.anonymousId();
    assert.notEqual(id, null);
    first.die();
    await turn();
    assert.deepEqual([...items.keys()], ["eventlogger"]);

    const second = new FakePage();
    const restarted = start(second);
    tracked.push(restarted.track("c"));
    assert.deepEqual(await restarted.flush(), { sent: 3, dropped: 0, pending: 0 });
    assert.equal(restarted.anonymousId(), id);
    assert.deepEqual(second.events.map(({ event_id }) => event_id).sort(), tracked.sort());
    assert.equal(new Set(second.events.map(({ session_id }) => session_id)).size, 1);
    assert.equal(new Set(second.events.map(({ anonymous_id }) => anonymous_id)).size, 1);
    for (let i = 0; i < 5; i++) await turn();
    assert.doesNotMatch(items.get("eventlogger") ?? "", /event_id/);
  });

  it("is written once for many events of a turn, and emptied when consent is withdrawn", async () => {
    const page = new FakePage();
    const client = start(page, { flushInterval: 60_000 });
    await page.clock.advance(10);
    calls.length = 0;
    for (let i = 0; i < 100; i++) client.track("e");
    for (let i = 0; i < 5; i++) await turn();
    assert.ok(calls.length <= 2, `${calls.length} writes`);
    client.consent(false);
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(items.size, 0);
    assert.equal(calls.at(-1), "remove eventlogger");
  });

  it("consent that is withdrawn and given again while the storage is loaded starts with new ids", async () => {
    items.set("eventlogger", JSON.stringify({ "eventlogger.anonymous": "from-before" }));
    const page = new FakePage();
    const client = start(page);
    client.consent(false);
    client.consent(true);
    client.track("a");
    await client.flush();
    assert.notEqual(client.anonymousId(), "from-before");
    assert.equal(page.events[0]?.anonymous_id, client.anonymousId());
  });

  it("that throws or has no readable value is like missing storage", async () => {
    const fail = (): never => assert.fail("unavailable");
    const reject = (): Promise<never> => Promise.reject(new Error("unavailable"));
    const storages = [
      { get: fail, set: fail, remove: fail },
      { get: reject, set: reject, remove: reject },
      ...["{", "null", "7", '["a"]', '{"eventlogger.anonymous":7}'].map((text) => ({ ...storage, get: () => text })),
    ];
    for (const each of storages) {
      const page = new FakePage();
      const client = start(page, { storage: each });
      client.track("a");
      assert.deepEqual(await client.close(), { sent: 1, dropped: 0, pending: 0 });
      assert.notEqual(page.events[0]?.anonymous_id, undefined);
    }
  });

  it("keeps the queue of a Node process, and no ids", async () => {
    const node = { ...app, process: { versions: { node: "22.0.0" } } };
    const page = new FakePage();
    page.answering = () => "network";
    const client = createClient({ url: URL_, storage }, page.environment(node));
    const id = client.track("a", { session_id: "s-1" });
    client.identify(null);
    client.reset();
    await page.clock.advance(3000);
    page.die();
    assert.doesNotMatch(items.get("eventlogger") ?? "", /eventlogger\.(session|anonymous)/);
    const next = new FakePage();
    const restarted = createClient({ url: URL_, storage }, next.environment(node));
    await next.clock.advance(3000);
    assert.equal((await restarted.flush()).sent, 1);
    assert.equal(next.events[0]?.event_id, id);
  });
});
