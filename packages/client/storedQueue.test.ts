import assert from "node:assert/strict";
import fc from "fast-check";
import { createClient, type Client, type ClientOptions, type Drop } from "./eventlogger";
import { accepting, FakePage, FakeStorage, type Answering } from "./testing/fakePage";
import { FakeClock } from "./testing/fakeClock";

const URL_ = "https://events.example";
const STALE_MS = 300_000;

describe("the stored queue of the client", () => {
  let storage: FakeStorage;
  let clock: FakeClock;
  let drops: Drop[];
  beforeEach(() => {
    storage = new FakeStorage();
    clock = new FakeClock();
    drops = [];
  });

  /** Opens a tab of the browser. */
  function tab(
    options: Partial<ClientOptions> = {},
    answering: Answering = accepting,
  ): { page: FakePage; client: Client } {
    const page = new FakePage(storage, clock);
    page.answering = answering;
    const client = createClient({ url: URL_, onDrop: (drop) => drops.push(drop), ...options }, page.environment());
    return { page, client };
  }
  const idsOf = ({ events }: FakePage): string[] => events.map(({ event_id }) => event_id);
  const stored = (): string[] => [...storage.items.keys()].filter((key) => key.startsWith("eventlogger.queue."));

  it("keeps each event until it is answered, and nothing afterwards", async () => {
    const { client } = tab();
    client.track("a");
    client.track("b");
    assert.equal(stored().length, 3, "two events and the sign of life of the tab");
    await client.flush();
    assert.deepEqual(stored(), []);
  });

  it("the next page sends what a closed tab could not, with the same event_id, time, session and anonymous id", async () => {
    const closed = tab({}, () => "network");
    const id = closed.client.track("a", { properties: { n: 1 } });
    await clock.advance(5000);
    closed.page.beacon = () => false;
    closed.page.leave();
    closed.page.die();
    await clock.advance(3_600_000);
    const next = tab();
    assert.deepEqual(await next.client.flush(), { sent: 1, dropped: 0, pending: 0 });
    assert.deepEqual(idsOf(next.page), [id]);
    const [before, after] = [closed, next].map(({ page }) => page.events[0] ?? assert.fail("no event"));
    assert.deepEqual(after, before);
    assert.deepEqual(stored(), []);
  });

  it("the next page also sends what a closed tab gave to a beacon, whose answer nobody saw", async () => {
    const closed = tab();
    const id = closed.client.track("a");
    closed.page.leave();
    closed.page.die();
    assert.deepEqual(idsOf(closed.page), [id]);
    const next = tab();
    await next.client.flush();
    assert.deepEqual(idsOf(next.page), [id]);
  });

  it("a tab that stays open sends what a tab has left that was closed since, with its next event or at flush", async () => {
    const staying = tab();
    for (const event of ["an event", undefined]) {
      const closed = tab({}, () => "network");
      closed.client.track("a");
      closed.page.beacon = () => false;
      closed.page.leave();
      closed.page.die();
      if (event) staying.client.track(event);
      else assert.deepEqual(await staying.client.flush(), { sent: 3, dropped: 0, pending: 0 });
      await clock.advance(10_000);
      assert.deepEqual(stored(), []);
    }
  });

  it("a crashed tab's events are taken over after 5 min, a living tab's are not", async () => {
    const crashed = tab({}, () => "network");
    const id = crashed.client.track("a");
    crashed.page.die();
    const living = tab({}, () => "network");
    living.client.track("b");
    await clock.advance(STALE_MS - 1000);
    const early = tab();
    assert.deepEqual(await early.client.flush(), { sent: 0, dropped: 0, pending: 0 });
    await clock.advance(2000);
    const late = tab();
    assert.deepEqual(await late.client.flush(), { sent: 1, dropped: 0, pending: 0 });
    assert.deepEqual(idsOf(late.page), [id]);
  });

  it("events that a second tab has taken over are not taken over by a third one", async () => {
    const closed = tab();
    closed.client.track("a");
    closed.page.leave();
    closed.page.die();
    const second = tab({}, () => "network");
    await clock.advance(60_000);
    const third = tab();
    assert.deepEqual(await third.client.flush(), { sent: 0, dropped: 0, pending: 0 });
    second.page.answering = accepting;
    await clock.advance(60_000);
    assert.deepEqual(stored(), []);
  });

  it("is bounded: what exceeds maxStoredBytes is sent from memory, and leftovers beyond maxQueue wait in storage", async () => {
    const { client, page } = tab({ maxStoredBytes: 1000 }, () => "network");
    const properties = { text: "x".repeat(200) };
    for (let i = 0; i < 10; i++) client.track("e", { properties });
    const bytes = stored().reduce((sum, key) => sum + (storage.getItem(key) ?? "").length, 0);
    assert.ok(bytes > 400 && bytes < 1000, `${bytes} bytes`);
    page.answering = accepting;
    assert.equal((await client.flush(60_000)).sent, 10);
    const many = tab({}, () => "network");
    const tracked = Array.from({ length: 7 }, (_, i) => many.client.track(`e${i}`));
    many.page.leave();
    many.page.die();
    const small = tab({ maxQueue: 3 });
    await clock.advance(60_000);
    assert.deepEqual(idsOf(small.page).sort(), tracked.sort());
    assert.ok(small.page.requests.every(({ events }) => events.length <= 3));
    assert.deepEqual([stored(), drops], [[], []]);
  });

  it("maxStoredBytes 0 stores no events", () => {
    const { client } = tab({ maxStoredBytes: 0 });
    client.track("a");
    assert.deepEqual(stored(), []);
    assert.notEqual(storage.getItem("eventlogger.anonymous"), null);
  });

  it("events go only to the service and the write key that they were tracked for", async () => {
    const one = tab({ writeKey: "k-1" }, () => "network");
    const id = one.client.track("a");
    one.page.leave();
    one.page.die();
    for (const options of [{ writeKey: "k-2" }, { writeKey: "k-1", url: "https://other.example" }]) {
      const { client, page } = tab(options);
      await client.flush();
      assert.deepEqual(idsOf(page), []);
    }
    const { client, page } = tab({ writeKey: "k-1" });
    await client.flush();
    assert.deepEqual(idsOf(page), [id]);
  });

  it("a rejected, refused or closed event is removed from storage and reported once", async () => {
    for (const answering of [() => ({ status: 401 }), () => "network"] as Answering[]) {
      const { client } = tab({}, answering);
      client.track("a");
      const closed = client.close(1000);
      await clock.advance(1000);
      assert.equal((await closed).dropped, 1);
      assert.deepEqual(stored(), []);
    }
    assert.deepEqual(
      drops.map(({ reason }) => reason),
      ["refused", "closed"],
    );
  });

  it("a stored value that is no event is removed, and storage that forgets everything changes nothing", async () => {
    const dead = tab({}, () => "network");
    dead.client.track("a");
    const key = stored().find((name) => name.includes(".1")) as string;
    ["", "{", "null", "7", "[]", '{"a":1}'].forEach((text, i) => storage.setItem(`${key}${i}`, text));
    dead.page.leave();
    dead.page.die();
    const { client, page } = tab();
    assert.deepEqual(await client.flush(), { sent: 1, dropped: 0, pending: 0 });
    assert.deepEqual(stored(), []);
    client.track("b");
    storage.items.clear();
    assert.deepEqual(await client.flush(), { sent: 1, dropped: 0, pending: 0 });
    assert.equal(page.events.length, 2);
  });

  it("several tabs lose no event and send each under one event_id, for any order of tracking, failures, closing, crashing and opening", async () => {
    type Step = readonly ["track" | "pass" | "close" | "crash" | "hide" | "open", number];
    const step: fc.Arbitrary<Step> = fc.oneof(
      { weight: 5, arbitrary: fc.tuple(fc.constant("track" as const), fc.nat(20)) },
      { weight: 3, arbitrary: fc.tuple(fc.constant("pass" as const), fc.nat(200_000)) },
      fc.tuple(fc.constantFrom("close", "crash", "hide", "open"), fc.nat(20)),
    );
    const answer = fc.constantFrom("ok", "ok", "network", "none", "lost", 503, 413);
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.array(answer, { maxLength: 30 }),
        async (steps, answers) => {
          [storage, clock, drops] = [new FakeStorage(), new FakeClock(), []];
          const contents = new Map<string, Set<string>>();
          let nth = 0;
          const answering: Answering = (request) => {
            const kind = answers[nth++] ?? "ok";
            if (kind === "network" || kind === "none") return kind;
            if (typeof kind === "number") return { status: kind };
            for (const event of request.events) {
              const texts = contents.get(event.event_id) ?? new Set();
              contents.set(event.event_id, texts.add(JSON.stringify(event)));
            }
            return kind === "lost" ? "network" : accepting(request);
          };
          const openTab = (): ReturnType<typeof tab> => {
            const opened = tab({ batchSize: 5 }, answering);
            opened.page.beacon = () => answers[nth++] !== "network";
            return opened;
          };
          let tabs = [openTab(), openTab()];
          const tracked: string[] = [];
          for (const [what, n] of steps) {
            const one = tabs[n % tabs.length];
            if (what === "open") tabs.push(openTab());
            else if (what === "pass") await clock.advance(n);
            else if (what === "track") tracked.push(one?.client.track("e") ?? assert.fail("an event was dropped"));
            else if (what === "hide") one?.page.hide();
            else {
              if (what === "close") one?.page.leave();
              one?.page.die();
              tabs = tabs.filter((other) => other !== one);
              if (!tabs.length) tabs.push(openTab());
            }
          }
          for (const { page } of tabs) page.die();
          answers.length = 0;
          await clock.advance(2 * STALE_MS);
          openTab();
          await clock.advance(2 * STALE_MS);
          const dropped = drops.map(({ event }) => event.event_id as string);
          for (const id of tracked) assert.ok(contents.has(id) || dropped.includes(id), `${id} is lost`);
          for (const [id, texts] of contents) {
            assert.ok(tracked.includes(id), `${id} was never tracked`);
            assert.equal(texts.size, 1, `${id} was sent with different contents`);
          }
          assert.deepEqual(stored(), []);
        },
      ),
      { numRuns: 200 },
    );
  });
});
