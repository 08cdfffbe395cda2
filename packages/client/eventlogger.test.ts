import assert from "node:assert/strict";
import fc from "fast-check";
import { validateEvent } from "@eventlogger/events/validation";
import { createClient, type Client, type ClientOptions, type Drop, type Environment } from "./eventlogger";
import { accepting, FakePage, type SentEvent } from "./testing/fakePage";

const URL_ = "https://events.example";
const MINUTE = 60_000;
const HALF_HOUR = 30 * MINUTE;

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

    it("the endpoint is events/ under the URL, which may be relative in a page", async () => {
      for (const url of ["https://a.example", "https://a.example/", "/collect", "/collect/?x=1#y"]) {
        const client = open({ url });
        client.track("e");
        await client.flush();
      }
      assert.deepEqual(
        page.requests.map(({ url }) => url),
        [
          "https://a.example/events/",
          "https://a.example/events/",
          "https://shop.example/collect/events/",
          "https://shop.example/collect/events/",
        ],
      );
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
        page: "/cart",
        properties: { n: 1 },
      });
      assert.deepEqual([b?.event_id, b?.event_time, b?.user_id], [second, at + 500, "u-2"]);
      assert.equal(c?.user_id, null);
    });

    it("an event uses the id, time, session and user that the caller passes", async () => {
      const client = open({ userId: "u-1" });
      const fields = { event_id: "e-1", event_time: 1_600_000_000_000, session_id: "s-1", user_id: "u-9" };
      assert.equal(client.track("x", fields), "e-1");
      client.track("y", { event_id: undefined, session_id: undefined, user_id: null });
      await client.flush();
      assert.deepEqual(page.events[0], { type: "event", event_name: "x", ...fields });
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
        assert.ok(await client.flush());
      }
      for (const event of page.events) {
        const result = validateEvent(event, page.clock.now);
        assert.ok(result.ok, JSON.stringify(result));
        assert.match(event.event_id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        assert.equal(parseInt(event.event_id.replace("-", "").slice(0, 12), 16), page.clock.now);
      }
      assert.equal(new Set(ids(page.events)).size, 2000);
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
          assert.ok(await client.flush());
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
      assert.ok(await client.flush());
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
        assert.ok(await client.flush());
        page.answering = accepting;
        client.track("b");
        assert.ok(await client.flush());
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
        assert.equal(page.requests[0]?.body, page.requests[1]?.body);
        assert.ok(await client.flush());
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
        assert.ok(await client.flush());
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
      assert.ok(await client.flush());
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
      assert.ok(await client.flush());
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
      assert.ok(await client.flush());
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

    it("a session is kept in sessionStorage without localStorage, and in neither on a server", async () => {
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
      assert.ok(await client.flush());
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
    it("flush reports within its timeout whether all events are answered", async () => {
      page.answering = () => "network";
      const client = open();
      trackMany(client, 1);
      const flushed = client.flush(3000);
      await page.clock.advance(3000);
      assert.equal(await flushed, false);
      page.answering = accepting;
      const again = client.flush();
      await page.clock.advance(10_000);
      assert.equal(await again, true);
      assert.equal(await client.flush(), true);
    });

    it("flush waits for events tracked before it, not after it", async () => {
      page.answering = (request) => ({ ...(accepting(request) as { status: number }), afterMs: 100 });
      const client = open({ batchSize: 1 });
      client.track("a");
      const flushed = client.flush();
      page.answering = () => "none";
      client.track("b");
      await page.clock.advance(100);
      assert.equal(await flushed, true);
    });

    it("close sends queued events, accepts no more, and leaves no timer and no listener", async () => {
      const client = open();
      trackMany(client, 2);
      const closed = client.close();
      assert.equal(client.track("late"), null);
      assert.equal(await closed, true);
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
      assert.equal(await closed, false);
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
      assert.equal(await closed, false);
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
          for (const [what, n] of steps) {
            if (what === "track") for (const id of trackMany(client, n)) tracked.push(...(id === null ? [] : [id]));
            else if (what === "pass") await page.clock.advance(n);
            else if (what === "flush") void client.flush(n);
            else page[what]();
          }
          answers.length = 0;
          page.restore();
          const closed = client.close(3_600_000);
          await page.clock.advance(600_000);
          assert.equal(await closed, true);
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
