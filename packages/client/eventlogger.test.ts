import assert from "node:assert/strict";
import fc from "fast-check";
import { validateEvent } from "@eventlogger/events/validation";
import {
  createClient,
  type Client,
  type ClientOptions,
  type Drop,
  type Environment,
  type FlushResult,
} from "./eventlogger";
import { accepting, FakePage, type SentEvent } from "./testing/fakePage";

const URL_ = "https://events.example";
const MINUTE = 60_000;
const HALF_HOUR = 30 * MINUTE;

async function assertAllAnswered(client: Client): Promise<void> {
  assert.equal((await client.flush()).pending, 0);
}

const ids = (events: readonly SentEvent[]): string[] => events.map(({ event_id }) => event_id);

describe("the client", () => {
  let page: FakePage;
  let drops: Drop[];
  beforeEach(() => {
    page = new FakePage();
    drops = [];
  });

  const open = (options: Partial<ClientOptions> = {}, changes: Partial<Environment> = {}): Client =>
    createClient({ url: URL_, onDrop: (drop) => drops.push(drop), ...options }, page.environment(changes));
  const trackMany = (client: Client, n: number): (string | null)[] =>
    Array.from({ length: n }, (_, i) => client.track(`e${i}`));

  /** Checks the address to which a client with each URL sends. The page is https://shop.example/cart/?item=1#top. */
  async function assertEndpoints(endpoints: Readonly<Record<string, string>>): Promise<void> {
    for (const [url, endpoint] of Object.entries(endpoints)) {
      page = new FakePage();
      const client = open({ url }, { location: { href: "https://shop.example/cart/?item=1#top/" } });
      client.track("e");
      await assertAllAnswered(client);
      assert.equal(page.requests[0]?.url, endpoint, url);
    }
  }

  describe("options", () => {
    it("an invalid option throws a TypeError that names it", () => {
      assert.throws(() => open({ url: "ftp://events.example" }), /^TypeError: url: must be the http\(s\) address/);
      assert.throws(
        () => open({ batchSize: 1001 }),
        /^TypeError: batchSize: must be a number from 1 to 1000, not 1001/,
      );
      assert.throws(() => open({ maxQueue: NaN }), /^TypeError: maxQueue: must be a number/);
      assert.throws(() => open({ writeKey: "schlüssel" }), /^TypeError: writeKey: must be visible ASCII/);
      assert.throws(() => createClient({ url: "/collect" }, page.environment({ location: undefined })), /url: must be/);
    });

    it("a URL that fetch would refuse throws a TypeError when the client is created", () => {
      const urls = [
        "",
        "https://",
        "https:///events",
        "https://a.example:99999",
        "https://user@a.example",
        "https://a b.example",
        "https://a.example/x y",
        "http:\\\\a.example",
        "a.example:3000",
      ];
      for (const url of urls) assert.throws(() => open({ url }), /^TypeError: url: must be the http\(s\) address/, url);
      assert.throws(() => createClient({} as ClientOptions, page.environment()), /^TypeError: url: must be/);
    });

    it("an unknown option throws a TypeError that names it and the nearest option", () => {
      const nearest = { flushIntervall: "flushInterval", write_key: "writeKey", URL: "url", ondrop: "onDrop" };
      for (const [name, known] of Object.entries(nearest)) {
        const options = { [name]: undefined } as Partial<ClientOptions>;
        assert.throws(() => open(options), {
          name: "TypeError",
          message: `${name}: is not an option; the nearest option is ${known}`,
        });
      }
    });

    it("every documented option is accepted", () => {
      const all: Required<ClientOptions> = {
        url: URL_,
        writeKey: "k",
        userId: "u",
        batchSize: 1,
        flushInterval: 1,
        maxQueue: 1,
        maxQueueBytes: 1,
        sessionTimeout: 1,
        requestTimeout: 1,
        maxStoredBytes: 0,
        storage: { get: () => null, set: () => undefined, remove: () => undefined },
        requireConsent: true,
        debug: true,
        onDrop: () => undefined,
      };
      assert.doesNotThrow(() => createClient(all, page.environment()));
    });

    it("the endpoint is events/ under the URL, which may be relative in a page", async () => {
      const endpoints = {
        "https://a.example": "https://a.example/events/",
        " https://a.example:8443/ ": "https://a.example:8443/events/",
        "http://[::1]:3000//": "http://[::1]:3000/events/",
        "/collect": "https://shop.example/collect/events/",
        "/collect/?x=1#y": "https://shop.example/collect/events/",
        "//a.example/collect": "https://a.example/collect/events/",
        collect: "https://shop.example/cart/collect/events/",
      };
      await assertEndpoints(endpoints);
    });

    it("a URL that ends in event/ or events/ gives the same endpoint as the URL above it", async () => {
      await assertEndpoints({
        "https://a.example/event": "https://a.example/events/",
        "https://a.example/event/": "https://a.example/events/",
        "https://a.example/events": "https://a.example/events/",
        "https://a.example/events/?key=k": "https://a.example/events/",
        "/collect/events/": "https://shop.example/collect/events/",
        events: "https://shop.example/cart/events/",
        // A service below a path of that name.
        "https://a.example/events/events/": "https://a.example/events/events/",
        "https://a.example/all-events": "https://a.example/all-events/events/",
      });
    });

    it("the client works where URL has no getters and no setters, as in React Native", async () => {
      class ReactNativeUrl {
        constructor(private readonly text: string) {}
        get href(): string {
          return this.text;
        }
        get searchParams(): never {
          throw new Error("URL.searchParams is not implemented");
        }
        get pathname(): never {
          throw new Error("URL.pathname is not implemented");
        }
        set pathname(_: string) {
          throw new Error("URL.pathname is not implemented");
        }
        set search(_: string) {
          throw new Error("URL.search is not implemented");
        }
        set hash(_: string) {
          throw new Error("URL.hash is not implemented");
        }
      }
      const app = { document: undefined, location: undefined, localStorage: undefined, process: {} };
      for (const URL of [ReactNativeUrl, undefined]) {
        page = new FakePage();
        const client = open({ url: "https://a.example/collect/?x=1", writeKey: "k" }, { ...app, URL });
        client.track("e");
        client.track("f");
        assert.deepEqual(await client.close(), { sent: 2, dropped: 0, pending: 0 });
        assert.equal(page.requests[0]?.url, "https://a.example/collect/events/");
        assert.equal(new Set(page.events.map(({ session_id }) => session_id)).size, 1);
      }
    });
  });

  describe("an event", () => {
    it("an event gets its id, time, session and user when it is tracked", async () => {
      const client = open({ userId: "u-1" });
      const at = page.clock.now;
      const first = client.track("view", { page: "/cart", properties: { n: 1 } });
      page.clock.now += 500;
      client.identify("u-2");
      const second = client.track("buy");
      client.identify(null);
      client.track("leave");
      await client.flush();
      const [a, b, c] = page.events;
      assert.deepEqual(a, {
        type: "event",
        event_name: "view",
        event_id: first,
        event_time: at,
        session_id: b?.session_id,
        user_id: "u-1",
        anonymous_id: client.anonymousId(),
        page: "/cart",
        properties: { n: 1 },
      });
      assert.deepEqual([b?.event_id, b?.event_time, b?.user_id], [second, at + 500, "u-2"]);
      assert.equal(c?.user_id, null);
    });

    it("an event uses the id, time, session and user that the caller passes", async () => {
      const client = open({ userId: "u-1" });
      const fields = {
        event_id: "e-1",
        event_time: 1_600_000_000_000,
        session_id: "s-1",
        user_id: "u-9",
        anonymous_id: "a-9",
      };
      assert.equal(client.track("x", fields), "e-1");
      client.track("y", { event_id: undefined, session_id: undefined, user_id: null });
      await client.flush();
      assert.deepEqual(page.events[0], {
        ...{ type: "event", event_name: "x" },
        ...fields,
      });
      assert.ok(page.events[1]?.event_id && page.events[1].session_id);
      assert.equal(page.events[1].user_id, null);
    });

    it("an event does not change when the caller changes its fields after tracking", async () => {
      const client = open();
      const properties = { n: 1 };
      client.track("x", { properties });
      properties.n = 2;
      await client.flush();
      assert.deepEqual(page.events[0]?.properties, { n: 1 });
    });

    it("an event passes the service's validation and has a unique UUIDv7", async () => {
      for (const crypto of [page.environment().crypto, undefined]) {
        page.random = Math.random;
        const client = open({ userId: "u", batchSize: 1000 }, { crypto });
        trackMany(client, 1000);
        await assertAllAnswered(client);
      }
      for (const event of page.events) {
        const result = validateEvent(event, page.clock.now);
        assert.ok(result.ok, JSON.stringify(result));
        assert.match(event.event_id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        assert.equal(parseInt(event.event_id.replace("-", "").slice(0, 12), 16), page.clock.now);
      }
      assert.equal(new Set(ids(page.events)).size, 2000);
    });

    it("ids that are numbers or booleans are sent as text", async () => {
      const client = open({ userId: 7 });
      client.track("before");
      client.identify(42);
      client.track("after");
      const returned = client.track("own", { event_id: 1.5, session_id: 0, user_id: -3 });
      const others = { event_id: 9007199254740993n, session_id: true, user_id: false } as object;
      client.track("other", others);
      client.identify(null);
      client.track("nobody");
      await assertAllAnswered(client);
      const sent = page.events.map(({ event_id, session_id, user_id }) => ({ event_id, session_id, user_id }));
      assert.deepEqual(
        sent.map(({ user_id }) => user_id),
        ["7", "42", "-3", "false", null],
      );
      assert.deepEqual(sent[2], { event_id: "1.5", session_id: "0", user_id: "-3" });
      assert.equal(returned, "1.5");
      assert.deepEqual(sent[3], { event_id: "9007199254740993", session_id: "true", user_id: "false" });
      assert.deepEqual(drops, []);
    });

    it("half of a surrogate pair is replaced by U+FFFD anywhere, with one warning", async () => {
      const warnings: string[] = [];
      const client = open({}, { console: { warn: (text: string) => void warnings.push(text) } });
      const cut = "a bike \ud83d";
      const id = client.track("first", {
        event_id: "e\udead",
        page: cut,
        properties: { [cut]: ["\ude00", { deep: cut }], kept: '🚲 \\ud83d \\" \u2028 \u0001' },
      });
      client.track(cut, { user_id: "u" + cut });
      assert.equal(id, "e\ufffd");
      await assertAllAnswered(client);
      const [first, second] = page.events;
      assert.deepEqual(
        { ...first },
        {
          ...first,
          event_id: "e\ufffd",
          page: "a bike \ufffd",
          properties: {
            "a bike \ufffd": ["\ufffd", { deep: "a bike \ufffd" }],
            kept: '🚲 \\ud83d \\" \u2028 \u0001',
          },
        },
      );
      assert.deepEqual([second?.event_name, second?.user_id], ["a bike \ufffd", "ua bike \ufffd"]);
      assert.deepEqual(warnings, [
        'eventlogger: event "first" has half of a surrogate pair, which was replaced by U+FFFD. ' +
          "Only the first is printed.",
      ]);
      for (const event of page.events) assert.ok(validateEvent(event, page.clock.now).ok);
    });

    it("any text is sent as text without halves of surrogate pairs, and changed in no other way", () => {
      fc.assert(
        fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })), (properties) => {
          page = new FakePage();
          const client = open({ batchSize: 1 }, { console: undefined });
          const wellFormed = (text: string): string => Buffer.from(text, "utf8").toString("utf8");
          client.track("e", { properties });
          const entries = Object.entries(properties).map(([name, text]) => [wellFormed(name), wellFormed(text)]);
          assert.deepEqual(page.events[0]?.properties, Object.fromEntries(entries));
        }),
      );
    });

    it("an event without a session_id throws in Node, where no user could be meant, and is not queued", async () => {
      const node = { document: undefined, location: undefined, process: { versions: { node: "18.20.8" } } };
      const client = open({ userId: "u" }, node);
      const expected = /^TypeError: session_id: is required in Node/;
      assert.throws(() => client.track("a"), expected);
      assert.throws(() => client.track("a", { user_id: "u-1" }), expected);
      assert.throws(() => client.track("a", { session_id: "" }), expected);
      assert.notEqual(client.track("b", { session_id: "s-1" }), null);
      client.identify(null);
      client.reset();
      assert.deepEqual(await client.close(), { sent: 1, dropped: 0, pending: 0 });
      assert.throws(() => client.track("a"), expected);
    });

    it("an event in a page of a program with Node, as in Electron, gets the session of the page", async () => {
      const client = open({}, { process: { versions: { node: "22.0.0" } } });
      client.track("a");
      await assertAllAnswered(client);
      assert.ok(page.events[0]?.session_id);
    });

    it("an event that JSON cannot express or that exceeds a batch is dropped with a report, without an exception", async () => {
      const client = open();
      const circle: Record<string, unknown> = {};
      circle.self = circle;
      assert.equal(client.track("a", { properties: circle }), null);
      assert.equal(client.track("b", { properties: { n: 1n } }), null);
      assert.equal(client.track("c", { properties: { text: "x".repeat(1 << 20) } }), null);
      await page.clock.advance(0);
      assert.deepEqual(
        drops.map(({ event, reason }) => [event.event_name, reason]),
        [
          ["a", "invalid"],
          ["b", "invalid"],
          ["c", "invalid"],
        ],
      );
      assert.match(drops[0]?.errors[0]?.message ?? "", /circular/);
      assert.equal(page.requests.length, 0);
    });
  });

  describe("batches", () => {
    it("a batch is sent as JSON after the flush interval, with the key in a header", async () => {
      const client = open({ writeKey: "k-1", flushInterval: 2000 });
      const tracked = trackMany(client, 3);
      await page.clock.advance(1999);
      assert.equal(page.requests.length, 0);
      await page.clock.advance(1);
      assert.equal(page.requests.length, 1);
      const [request] = page.requests;
      assert.equal(request?.url, `${URL_}/events/`);
      assert.equal(request.how, "fetch");
      assert.deepEqual(request.headers, { "Content-Type": "application/json", "X-Write-Key": "k-1" });
      assert.deepEqual(ids(request.events), tracked);
      await page.clock.advance(HALF_HOUR);
      assert.equal(page.requests.length, 1);
    });

    it("full batches are sent immediately, one after the other", async () => {
      page.answering = (request) => ({ ...(accepting(request) as { status: number }), afterMs: 100 });
      const client = open({ batchSize: 10 });
      trackMany(client, 25);
      await page.clock.advance(0);
      assert.deepEqual(
        page.requests.map(({ events }) => events.length),
        [10],
      );
      await page.clock.advance(100);
      assert.equal(page.requests.length, 2);
      await page.clock.advance(100);
      assert.equal(page.requests.length, 2);
      await page.clock.advance(2000);
      assert.deepEqual(
        page.requests.map(({ events }) => events.length),
        [10, 10, 5],
      );
    });

    it("a batch is at most 1 MiB for events of any size, and no event is lost", async () => {
      const weights = fc.array(fc.tuple(fc.nat(400_000), fc.constantFrom("x", "é", "世", "😀")), { maxLength: 12 });
      await fc.assert(
        fc.asyncProperty(weights, async (events) => {
          page = new FakePage();
          const client = open({ maxQueueBytes: 1e9 });
          const tracked = events.map(([bytes, text]) =>
            client.track("e", { properties: { text: text.repeat(bytes / Buffer.byteLength(text)) } }),
          );
          await assertAllAnswered(client);
          assert.deepEqual(ids(page.events), tracked);
          for (const { body } of page.requests) assert.ok(Buffer.byteLength(body) <= 1 << 20);
        }),
        { numRuns: 20 },
      );
    });

    it("batches shrink after 413, and a single event that is too large is dropped", async () => {
      page.answering = (request) =>
        request.events.length > 3 || request.events.some(({ event_name }) => event_name === "e5")
          ? { status: 413 }
          : accepting(request);
      const client = open();
      const tracked = trackMany(client, 20);
      await assertAllAnswered(client);
      const taken = page.requests.filter((request) => page.answering(request) !== "network");
      const accepted = new Set(
        taken.filter((r) => (page.answering(r) as { status: number }).status === 200).flatMap((r) => ids(r.events)),
      );
      await page.clock.advance(0);
      assert.equal(accepted.size, 19);
      assert.deepEqual(
        drops.map(({ event, reason }) => [event.event_id, reason]),
        [[tracked[5], "refused"]],
      );
    });
  });

  describe("the queue", () => {
    it("a full queue keeps its events and reports each new event as dropped", async () => {
      page.answering = () => "network";
      const client = open({ maxQueue: 5 });
      const tracked = trackMany(client, 7);
      assert.deepEqual(
        tracked.map((id) => id !== null),
        [true, true, true, true, true, false, false],
      );
      await page.clock.advance(0);
      assert.deepEqual(
        drops.map(({ event, reason }) => [event.event_name, reason]),
        [
          ["e5", "queue-full"],
          ["e6", "queue-full"],
        ],
      );
      page.answering = accepting;
      await page.clock.advance(MINUTE);
      assert.notEqual(client.track("again"), null);
    });

    it("the queue is bounded in bytes", () => {
      const client = open({ maxQueueBytes: 10_000 });
      const properties = { text: "é".repeat(2000) };
      assert.notEqual(client.track("a", { properties }), null);
      assert.notEqual(client.track("b", { properties }), null);
      assert.equal(client.track("c", { properties }), null);
      assert.notEqual(client.track("small"), null);
    });

    it("without onDrop, the console gets one warning for each reason", async () => {
      const warnings: string[] = [];
      const console = { warn: (text: string) => void warnings.push(text) };
      page.answering = ({ events }) => {
        const errors = [{ field: "page", message: "must be a string" }];
        return { status: 200, body: { rejected: events.map((_, index) => ({ index, errors })) } };
      };
      const client = open({ onDrop: undefined, maxQueue: 2 }, { console });
      trackMany(client, 4);
      assert.deepEqual(warnings, []);
      await client.flush();
      trackMany(client, 4);
      await client.close();
      client.track("late");
      client.track("later");
      await page.clock.advance(0);
      const end = "Only the first is printed.";
      assert.deepEqual(warnings, [
        `eventlogger: event "e2" was dropped: queue-full. ${end}`,
        `eventlogger: event "e0" was dropped: rejected; page must be a string. ${end}`,
        `eventlogger: event "late" was dropped: closed. ${end}`,
      ]);
    });

    it("with onDrop, or without a console, no warning is printed and nothing fails", async () => {
      const console = { warn: (text: string) => assert.fail(text) };
      const clients = [open({ maxQueue: 1 }, { console }), open({ maxQueue: 1, onDrop: undefined })];
      for (const client of clients) {
        trackMany(client, 2);
        await assertAllAnswered(client);
      }
      assert.equal(drops.length, 1);
    });

    it("the client survives an exception in onDrop", async () => {
      const unhandled: unknown[] = [];
      const listener = (error: unknown): void => void unhandled.push(error);
      const before = process.listeners("unhandledRejection");
      process.removeAllListeners("unhandledRejection").on("unhandledRejection", listener);
      try {
        page.answering = () => ({ status: 400, body: { errors: [] } });
        const client = open({
          onDrop: () => {
            throw new Error("of the page");
          },
        });
        client.track("a");
        await assertAllAnswered(client);
        page.answering = accepting;
        client.track("b");
        await assertAllAnswered(client);
        await page.clock.advance(0);
        assert.equal((unhandled[0] as Error).message, "of the page");
      } finally {
        process.removeListener("unhandledRejection", listener);
        for (const each of before) process.on("unhandledRejection", each);
      }
    });
  });

  describe("answers", () => {
    it("408, 429, 5xx and a missing answer make the client send the same events again", async () => {
      for (const status of [408, 429, 500, 502, 503, 504, "network"] as const) {
        page = new FakePage();
        page.answering = () => (status === "network" ? status : { status });
        const client = open();
        trackMany(client, 2);
        await page.clock.advance(2000);
        page.answering = accepting;
        await page.clock.advance(1000);
        assert.equal(page.requests.length, 2, String(status));
        const [first, second] = page.requests.map(({ events }) => events);
        assert.deepEqual(first, second);
        for (const { events } of page.requests) assert.equal(events.length, 2);
        await assertAllAnswered(client);
      }
      assert.deepEqual(drops, []);
    });

    it("other error answers drop the events and report the service's errors", async () => {
      const errors = [{ field: "", message: "a write key is needed" }];
      for (const status of [400, 401, 403, 404, 415]) {
        page = new FakePage();
        page.answering = () => ({ status, body: status === 401 ? { errors } : "<html>" });
        const client = open();
        trackMany(client, 2);
        await assertAllAnswered(client);
        await page.clock.advance(HALF_HOUR);
        assert.equal(page.requests.length, 1);
      }
      assert.equal(drops.length, 10);
      assert.ok(drops.every(({ reason }) => reason === "refused"));
      assert.deepEqual(drops[2]?.errors, errors);
      assert.deepEqual(drops[0]?.errors, [{ field: "", message: "HTTP status 400" }]);
    });

    it("an answer that rejects single events drops only those events", async () => {
      const errors = [{ field: "event_name", message: "must be a string" }];
      page.answering = () => ({ status: 200, body: { accepted: 2, rejected: [{ index: 1, errors }] } });
      const client = open();
      trackMany(client, 3);
      await assertAllAnswered(client);
      await page.clock.advance(HALF_HOUR);
      assert.equal(page.requests.length, 1);
      assert.deepEqual(
        drops.map(({ event, reason, errors }) => ({ name: event.event_name, reason, errors })),
        [{ name: "e1", reason: "rejected", errors }],
      );
    });

    it("an answer after the request timeout counts as a failure", async () => {
      page.answering = () => "none";
      const client = open({ requestTimeout: 5000 });
      trackMany(client, 1);
      await page.clock.advance(2000 + 4999);
      assert.equal(page.requests.length, 1);
      page.answering = accepting;
      await page.clock.advance(1 + 1000);
      assert.equal(page.requests.length, 2);
      await assertAllAnswered(client);
    });
  });

  describe("the wait before another attempt", () => {
    /** The waits between the attempts that fail. */
    async function waits(retryAfter: readonly (string | undefined)[], random: number): Promise<number[]> {
      page = new FakePage();
      page.random = () => random;
      let nth = 0;
      page.answering = (request) => {
        if (nth >= retryAfter.length) return accepting(request);
        const header = retryAfter[nth++];
        return { status: 503, headers: header === undefined ? undefined : { "Retry-After": header } };
      };
      const client = open({ flushInterval: 1 });
      client.track("e");
      await page.clock.advance(1);
      const result: number[] = [];
      while (result.length < retryAfter.length) {
        const wait = page.clock.next as number;
        result.push(wait);
        // More events, and a wish for haste, shorten nothing.
        client.track("more");
        void client.flush(1e9);
        await page.clock.advance(wait - 1);
        assert.equal(page.requests.length, result.length);
        await page.clock.advance(1);
        assert.equal(page.requests.length, result.length + 1);
      }
      return result;
    }

    it("the retry delay is random, below a limit that doubles from 1 s to 30 s", async () => {
      const unit = fc.double({ min: 0.01, max: 1, maxExcluded: true, noNaN: true });
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 12 }), unit, async (n, random) => {
          const limits = Array.from({ length: n }, (_, i) => Math.min(30_000, 1000 * 2 ** i));
          const actual = await waits(Array<undefined>(n).fill(undefined), random);
          actual.forEach((wait, i) => assert.ok(Math.abs(wait - random * (limits[i] as number)) < 1e-3, `${wait}`));
        }),
        { numRuns: 50 },
      );
    });

    it("the retry delay respects Retry-After up to one hour", async () => {
      assert.deepEqual(await waits(["5", "120", "999999999"], 0), [5000, 120_000, 3_600_000]);
      assert.deepEqual(await waits(["5", "0", "soon"], 0.5), [5500, 1000, 2000]);
      const date = new Date(1_700_000_000_000 + 90_000).toUTCString();
      assert.deepEqual(await waits([date], 0), [90_000 - 1]);
    });

    it("the retry delay starts again at 1 s after a success", async () => {
      page.random = () => 0.999;
      page.answering = () => "network";
      const client = open({ flushInterval: 1 });
      client.track("e");
      await page.clock.advance(60_000);
      assert.ok(page.requests.length > 4);
      page.answering = accepting;
      await page.clock.advance(30_000);
      assert.equal(page.clock.next, undefined);
      page.answering = () => "network";
      client.track("f");
      await page.clock.advance(1);
      assert.equal(page.clock.next, 999);
    });
  });

  describe("the session", () => {
    async function sessions(client: Client, gaps: readonly number[]): Promise<unknown[]> {
      const before = page.events.length;
      for (const gap of gaps) {
        page.clock.now += gap;
        client.track("e");
      }
      await assertAllAnswered(client);
      return page.events.slice(before).map(({ session_id }) => session_id);
    }

    it("a session continues while gaps are shorter than 30 min and ends at a gap of 30 min", async () => {
      const [a, b, c, d] = await sessions(open(), [0, HALF_HOUR - 1, HALF_HOUR - 1, HALF_HOUR]);
      assert.ok(a === b && b === c && c !== d);
    });

    it("a session starts exactly where the pipeline starts one, for any gaps", async () => {
      const gap = fc.oneof(fc.nat(HALF_HOUR * 2), fc.constantFrom(HALF_HOUR - 1, HALF_HOUR, HALF_HOUR + 1));
      await fc.assert(
        fc.asyncProperty(fc.array(gap, { minLength: 1, maxLength: 30 }), async (gaps) => {
          page = new FakePage();
          const got = await sessions(open(), gaps);
          for (let i = 1; i < got.length; i++) assert.equal(got[i] !== got[i - 1], (gaps[i] as number) >= HALF_HOUR);
          const changes = gaps.slice(1).filter((each) => each >= HALF_HOUR).length;
          assert.equal(new Set(got).size, 1 + changes);
        }),
        { numRuns: 100 },
      );
    });

    it("a session is shared by the tabs of a browser and continues on the next page", async () => {
      const [first] = await sessions(open(), [0]);
      const other = open();
      const [second] = await sessions(other, [HALF_HOUR - 1]);
      const [third] = await sessions(open(), [HALF_HOUR - 1]);
      const [fourth] = await sessions(other, [HALF_HOUR - 1]);
      assert.deepEqual([second, third, fourth], [first, first, first]);
      const [fifth] = await sessions(open(), [HALF_HOUR]);
      assert.notEqual(fifth, first);
      assert.deepEqual(await sessions(other, [0]), [fifth]);
    });

    it("a session continues when the clock is set back", async () => {
      const [a, b, c] = await sessions(open(), [0, -HALF_HOUR * 10, 1000]);
      assert.ok(a === b && b === c);
    });

    it("a session works without storage and with forbidden, full or corrupt storage", async () => {
      const full = { getItem: () => null, setItem: () => assert.fail("QuotaExceededError") };
      const spoiled = (text: string) => ({ getItem: () => text, setItem: () => undefined });
      const forbidden = page.environment();
      Object.defineProperty(forbidden, "localStorage", { get: () => assert.fail("SecurityError") });
      const environments = [
        forbidden,
        page.environment({ localStorage: undefined }),
        page.environment({ localStorage: full }),
        ...["", "null", "{", "7", '{"id":7}', `{"id":"${"x".repeat(129)}","last":1}`, '{"id":"a b","last":9e15}'].map(
          (text) => page.environment({ localStorage: spoiled(text) }),
        ),
      ];
      for (const environment of environments) {
        const client = createClient({ url: URL_ }, environment);
        const [a, b, c] = await sessions(client, [0, HALF_HOUR - 1, HALF_HOUR]);
        assert.ok(typeof a === "string" && a.length === 36 && a === b && b !== c);
      }
    });

    it("identify(null) after events of a user starts a new session, also in the other tabs", async () => {
      const client = open({ userId: "u-1" });
      const other = open();
      const [first] = await sessions(client, [0]);
      client.identify("u-2");
      assert.deepEqual(await sessions(client, [0]), [first]);
      client.identify(null);
      const [second] = await sessions(client, [0]);
      assert.notEqual(second, first);
      assert.deepEqual(await sessions(other, [0]), [second]);
      assert.deepEqual(await sessions(open(), [0]), [second]);
    });

    it("identify(null) on the page after a logout starts a new session", async () => {
      const [first] = await sessions(open({ userId: "u-1" }), [0]);
      const next = open();
      next.identify(null);
      const [second] = await sessions(next, [0]);
      assert.notEqual(second, first);
    });

    it("identify(null) on each page of an anonymous visitor keeps the session, and a login continues it", async () => {
      const [first] = await sessions(open(), [0]);
      const next = open();
      next.identify(null);
      assert.deepEqual(await sessions(next, [0]), [first]);
      next.identify("u-1");
      assert.deepEqual(await sessions(next, [0]), [first]);
    });

    it("identify(null) starts a new session when only the event named the user", async () => {
      const client = open();
      client.track("a", { user_id: "u-1" });
      client.track("b");
      client.identify(null);
      client.track("c");
      await assertAllAnswered(client);
      const [a, b, c] = page.events.map(({ session_id }) => session_id);
      assert.ok(a === b && b !== c);
    });

    it("reset starts a new session without a user, even for an anonymous visitor and when storage is full", async () => {
      const [stored] = await sessions(open(), [0]);
      const environments = [
        {},
        { localStorage: undefined },
        { localStorage: { getItem: (key: string) => page.storage.getItem(key), setItem: () => assert.fail("full") } },
      ];
      for (const environment of environments) {
        const client = open({ userId: "u-1" }, environment);
        const seen = new Set([stored]);
        for (let i = 0; i < 3; i++) {
          client.reset();
          const [a, b] = await sessions(client, [0, 0]);
          assert.equal(a, b);
          assert.ok(!seen.has(a), `reset ${i} has kept a session`);
          seen.add(a);
          assert.equal(page.events[page.events.length - 1]?.user_id, null);
        }
      }
    });

    it("a session is kept in sessionStorage without localStorage, and in neither without a document", async () => {
      const [id] = await sessions(open({}, { localStorage: undefined, sessionStorage: page.storage }), [0]);
      assert.deepEqual(await sessions(open(), [0]), [id]);
      const [other] = await sessions(open({}, { document: undefined }), [0]);
      assert.notEqual(other, id);
    });

    it("a newer session that could not be stored wins over the stored one", async () => {
      const setItem = page.storage.setItem.bind(page.storage);
      const client = open();
      const [a] = await sessions(client, [0]);
      page.storage.setItem = () => assert.fail("QuotaExceededError");
      const [b, c] = await sessions(client, [HALF_HOUR, HALF_HOUR - 1]);
      assert.ok(a !== b && b === c);
      page.storage.setItem = setItem;
    });
  });

  describe("a page that goes away", () => {
    it("an unloading page sends all unanswered events by beacon, as plain text with the key in the query", async () => {
      page.answering = () => "none";
      const client = open({ writeKey: "k&1", batchSize: 2 });
      const tracked = trackMany(client, 3);
      await page.clock.advance(0);
      assert.equal(page.requests.length, 1);
      page.leave();
      assert.equal(page.requests.length, 2);
      assert.equal(page.requests[1]?.how, "beacon");
      assert.equal(page.requests[1].url, `${URL_}/events/?key=k%261`);
      assert.deepEqual(ids(page.requests[1].events), tracked);
    });

    it("events given to a beacon are not sent again when the request in flight fails", async () => {
      page.answering = () => "none";
      const client = open({ batchSize: 2, requestTimeout: 100 });
      trackMany(client, 2);
      page.leave();
      await page.clock.advance(HALF_HOUR);
      assert.deepEqual(
        page.requests.map(({ how }) => how),
        ["fetch", "beacon"],
      );
    });

    it("an unloading page splits large queues and tries smaller beacons when the browser refuses one", async () => {
      let room = 65_536;
      page.beacon = ({ body }) => {
        if (body.length > room) return false;
        room -= body.length;
        return true;
      };
      const client = open();
      for (let i = 0; i < 100; i++) client.track("e", { properties: { text: "x".repeat(1500) } });
      page.requests.length = 0;
      page.leave();
      const sizes = page.requests.map(({ body }) => body.length);
      assert.ok(
        sizes.every((size) => size <= 60_000),
        sizes.join(),
      );
      assert.ok(room < 2000, `${room} bytes of the browser's allowance are unused`);
    });

    it("a hidden page sends by fetch with keepalive and handles the answer", async () => {
      const client = open({ writeKey: "k" });
      page.answering = (request) => (request.how === "keepalive" ? { status: 503 } : accepting(request));
      const tracked = trackMany(client, 2);
      page.hide();
      assert.equal(page.requests.length, 1);
      assert.equal(page.requests[0]?.how, "keepalive");
      assert.equal(page.requests[0].url, `${URL_}/events/?key=k`);
      assert.deepEqual(page.requests[0].headers, { "Content-Type": "text/plain;charset=UTF-8" });
      await page.clock.advance(1000);
      assert.equal(page.requests.length, 2);
      assert.deepEqual(ids(page.requests[1]?.events ?? []), tracked);

      page.answering = accepting;
      trackMany(client, 2);
      page.show();
      page.hide();
      await page.clock.advance(HALF_HOUR);
      page.show();
      page.leave();
      await page.clock.advance(HALF_HOUR);
      assert.equal(page.requests.length, 3);
    });

    it("a page restored from the cache sends again what only beacons had accepted", async () => {
      const client = open();
      const tracked = trackMany(client, 2);
      page.leave();
      await page.clock.advance(MINUTE);
      assert.equal(page.requests.length, 1);
      page.restore();
      await page.clock.advance(2000);
      assert.equal(page.requests.length, 2);
      assert.deepEqual(ids(page.requests[1]?.events ?? []), tracked);
      await assertAllAnswered(client);
    });

    it("an unloading page uses beacons without keepalive, keepalive without beacons, or neither", async () => {
      page.keepalive = false;
      trackMany(open(), 1);
      page.hide();
      assert.deepEqual(
        page.requests.map(({ how }) => how),
        ["beacon"],
      );
      page = new FakePage();
      page.beacon = undefined;
      trackMany(open(), 1);
      page.leave();
      assert.deepEqual(
        page.requests.map(({ how }) => how),
        ["keepalive"],
      );
      page = new FakePage();
      page.beacon = undefined;
      page.keepalive = false;
      trackMany(open(), 1);
      page.leave();
      assert.deepEqual(page.requests, []);
    });
  });

  describe("flush and close", () => {
    it("flush and close count each event once, since the previous result", async () => {
      page.answering = ({ events }) => {
        const rejected = events.flatMap(({ event_name }, index) =>
          event_name === "bad" ? [{ index, errors: [] }] : [],
        );
        return { status: 200, body: { rejected } };
      };
      const client = open({ maxQueue: 5 });
      client.track("too large", { properties: { text: "x".repeat(1 << 20) } });
      for (const name of ["a", "bad", "b", "c", "bad", "queue-full", "queue-full"]) client.track(name);
      const together = [client.flush(), client.flush()];
      assert.deepEqual(await Promise.all(together), [
        { sent: 3, dropped: 5, pending: 0 },
        { sent: 0, dropped: 0, pending: 0 },
      ]);
      // Sent without flush.
      client.track("d");
      await page.clock.advance(2000);
      page.answering = () => ({ status: 401 });
      client.track("refused");
      assert.deepEqual(await client.close(), { sent: 1, dropped: 1, pending: 0 });
      client.track("after close");
      assert.deepEqual(await client.flush(), { sent: 0, dropped: 1, pending: 0 });
    });

    it("an event in two requests counts once and is dropped once", async () => {
      page.answering = () => ({ status: 200, body: { rejected: [{ index: 0, errors: [] }] }, afterMs: 1000 });
      const client = open({ batchSize: 2 });
      trackMany(client, 2);
      page.leave();
      page.restore();
      page.hide();
      assert.deepEqual(
        page.requests.map(({ how, events }) => [how, events.length]),
        [
          ["fetch", 2],
          ["beacon", 2],
          ["keepalive", 2],
        ],
      );
      await page.clock.advance(1000);
      assert.deepEqual(await client.close(), { sent: 1, dropped: 1, pending: 0 });
      assert.equal(drops.length, 1);
    });

    it("flush counts the events without an answer at its timeout as pending", async () => {
      page.answering = () => "network";
      const client = open();
      trackMany(client, 1);
      const flushed = client.flush(3000);
      await page.clock.advance(3000);
      assert.deepEqual(await flushed, { sent: 0, dropped: 0, pending: 1 });
      page.answering = accepting;
      const again = client.flush();
      await page.clock.advance(10_000);
      assert.deepEqual(await again, { sent: 1, dropped: 0, pending: 0 });
      assert.deepEqual(await client.flush(), { sent: 0, dropped: 0, pending: 0 });
    });

    it("flush waits for events tracked before it, not after it", async () => {
      page.answering = (request) => ({ ...(accepting(request) as { status: number }), afterMs: 100 });
      const client = open({ batchSize: 1 });
      client.track("a");
      const flushed = client.flush();
      page.answering = () => "none";
      client.track("b");
      await page.clock.advance(100);
      assert.deepEqual(await flushed, { sent: 1, dropped: 0, pending: 0 });
    });

    it("close sends queued events, accepts no more, and leaves no timer and no listener", async () => {
      const client = open();
      trackMany(client, 2);
      const closed = client.close();
      assert.equal(client.track("late"), null);
      assert.deepEqual(await closed, { sent: 2, dropped: 1, pending: 0 });
      assert.equal(client.close(), closed);
      assert.equal(page.events.length, 2);
      assert.equal(page.listeners, 0);
      assert.equal(page.clock.next, undefined);
      assert.deepEqual(
        drops.map(({ event, reason }) => [event.event_name, reason]),
        [["late", "closed"]],
      );
    });

    it("an answer after close has timed out reports nothing more", async () => {
      page.answering = () => ({ status: 400, afterMs: 8000 });
      const client = open();
      trackMany(client, 1);
      const closed = client.close(5000);
      await page.clock.advance(HALF_HOUR);
      assert.deepEqual(await closed, { sent: 0, dropped: 1, pending: 0 });
      assert.deepEqual(await client.flush(), { sent: 0, dropped: 0, pending: 0 });
      assert.deepEqual(
        drops.map(({ reason }) => reason),
        ["closed"],
      );
    });

    it("close ends at its timeout and reports the lost events", async () => {
      page.answering = () => "network";
      const client = open();
      const tracked = trackMany(client, 2);
      const closed = client.close(5000);
      await page.clock.advance(5000);
      assert.deepEqual(await closed, { sent: 0, dropped: 2, pending: 0 });
      await page.clock.advance(0);
      assert.deepEqual(
        drops.map(({ event, reason }) => [event.event_id, reason]),
        tracked.map((id) => [id, "closed"]),
      );
      assert.equal(page.clock.next, undefined);
    });
  });

  it("no event is lost without a report, for any order of events, answers, hiding, unloading and restoring", async () => {
    type Step = readonly ["track" | "pass" | "hide" | "show" | "leave" | "restore" | "flush", number];
    const step: fc.Arbitrary<Step> = fc.oneof(
      { weight: 5, arbitrary: fc.tuple(fc.constant("track" as const), fc.integer({ min: 1, max: 8 })) },
      { weight: 3, arbitrary: fc.tuple(fc.constant("pass" as const), fc.nat(40_000)) },
      fc.tuple(fc.constantFrom("hide", "show", "leave", "restore", "flush"), fc.nat(5000)),
    );
    const answer = fc.constantFrom("ok", "ok", "slow", "some", 503, 413, 400, "network", "none", "lost");
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.array(answer, { maxLength: 30 }),
        async (steps, answers) => {
          page = new FakePage();
          drops = [];
          const taken = new Set<string>();
          const rejected = new Set<string>();
          let nth = 0;
          page.answering = (request) => {
            const kind = answers[nth++] ?? "ok";
            if (typeof kind === "number") return { status: kind };
            if (kind === "network" || kind === "none") return kind;
            const bad = kind === "some" ? request.events.slice(0, 1) : [];
            for (const { event_id } of bad) rejected.add(event_id);
            for (const { event_id } of request.events.slice(bad.length)) taken.add(event_id);
            if (kind === "lost") return "network";
            const body = { rejected: bad.map((_, index) => ({ index, errors: [] })) };
            return { status: 200, body, afterMs: kind === "slow" ? 7000 : 0 };
          };
          page.beacon = () => answers[nth++] !== "network";
          const client = open({ maxQueue: 20, batchSize: 5 });
          const tracked: string[] = [];
          let calls = 0;
          let counted = 0;
          const count = ({ sent, dropped }: FlushResult): void => void (counted += sent + dropped);
          for (const [what, n] of steps) {
            if (what === "track") {
              calls += n;
              for (const id of trackMany(client, n)) tracked.push(...(id === null ? [] : [id]));
            } else if (what === "pass") await page.clock.advance(n);
            else if (what === "flush") void client.flush(n).then(count);
            else page[what]();
          }
          answers.length = 0;
          page.restore();
          const closed = client.close(3_600_000);
          await page.clock.advance(600_000);
          const last = await closed;
          count(last);
          assert.equal(last.pending, 0);
          assert.equal(counted, calls, "flush and close count each event once");
          assert.equal(page.clock.next, undefined);
          const told = drops
            .filter(({ reason }) => reason !== "queue-full")
            .map(({ event }) => event.event_id as string);
          assert.equal(new Set(told).size, told.length);
          for (const id of tracked) assert.ok(taken.has(id) || told.includes(id), `${id} is lost without a report`);
          for (const id of rejected)
            assert.ok(taken.has(id) || told.includes(id), `${id} was rejected without a report`);
        },
      ),
      { numRuns: 300 },
    );
  });
});
