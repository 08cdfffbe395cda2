import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Message } from "@google-cloud/pubsub";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { eventually, useIngest, type TestTopic } from "@eventlogger/ingest/testing/fixture";
import type { Client, ClientOptions, Drop, FlushResult } from "@eventlogger/client";
import { findChromium, startChromium } from "./testing/chromium";
import type { BatchRequest } from "./testing/batchGateway";
import { useServices, type Service } from "./testing/service";
import { startSite, type Site } from "./testing/site";

/** Globals of the page: the client, and what the test stores there. */
interface PageGlobals {
  createClient(options: ClientOptions): Client;
  client: Client;
  drops: Drop[];
  ready?: boolean;
}

/** Contains characters with a meaning in a query. */
const KEY = "a+key&more=1";
const HALF_HOUR = 30 * 60_000;

const sessionOf = ({ data }: Message): unknown => (JSON.parse(data.toString()) as { session_id: unknown }).session_id;

(findChromium() ? describe : describe.skip)("the client in a browser (needs Chromium)", () => {
  const ingest = useIngest();
  const services = useServices(ingest);
  let browser: Browser;
  let site: Site;
  let context: BrowserContext;
  let topic: TestTopic;
  let service: Service;
  const all: (string | null)[] = [];
  before(async () => {
    [browser, site, topic] = await Promise.all([startChromium(), startSite(), ingest.freshTopic()]);
    service = await services.start(topic, { origins: [site.origin], writeKey: KEY });
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });
  beforeEach(async () => void (context = await browser.newContext()));
  afterEach(() => context.close());

  /** A page with a client. Its session id is kept in the browser's context. */
  async function open(url: string, options: Partial<ClientOptions> = {}, path = "/"): Promise<Page> {
    const page = await context.newPage();
    await visit(page, url, options, path);
    return page;
  }

  async function visit(page: Page, url: string, options: Partial<ClientOptions> = {}, path = "/"): Promise<void> {
    await page.goto(site.origin + path);
    await page.waitForFunction(() => (globalThis as unknown as PageGlobals).ready);
    await page.evaluate((given) => {
      const globals = globalThis as unknown as PageGlobals;
      globals.drops = [];
      globals.client = globals.createClient({ ...given, onDrop: (drop) => globals.drops.push(drop) });
    }, { url, writeKey: KEY, flushInterval: 50, ...options }); // prettier-ignore
  }

  async function track(page: Page, n: number, bytes = 0): Promise<(string | null)[]> {
    const ids = await page.evaluate(
      ([count, size]) =>
        Array.from({ length: count }, (_, i) =>
          (globalThis as unknown as PageGlobals).client.track(`e${i}`, { properties: { text: "x".repeat(size) } }),
        ),
      [n, bytes] as const,
    );
    all.push(...ids);
    return ids;
  }

  const flush = (page: Page): Promise<FlushResult> =>
    page.evaluate(() => (globalThis as unknown as PageGlobals).client.flush());

  /** What the client has stored in the browser, by its keys. */
  const storedIn = (page: Page): Promise<Record<string, string>> =>
    page.evaluate("Object.fromEntries(Object.entries(localStorage))");

  /** Waits until all tabs see the same storage: a change takes a moment to get from one process of the browser to another. */
  const storageIsShared = (): Promise<void> =>
    eventually(async () => {
      const seen = await Promise.all(context.pages().map(async (page) => Object.entries(await storedIn(page)).sort()));
      return new Set(seen.map((entries) => JSON.stringify(entries))).size === 1;
    }, "all tabs see the same storage");

  /** The anonymous id of a message, in the form of its encoding. */
  async function personOf(id: string | null): Promise<string> {
    const { anonymous_id } = JSON.parse((await topic.message(id as string)).data.toString()) as Record<string, unknown>;
    assert.match(JSON.stringify(anonymous_id), /[0-9a-f]{12}/);
    return JSON.stringify(anonymous_id);
  }

  const dropsOf = (page: Page): Promise<Drop[]> => page.evaluate(() => (globalThis as unknown as PageGlobals).drops);

  /** Each event is in the topic, perhaps more than once. */
  async function assertNotLost(tracked: readonly (string | null)[]): Promise<void> {
    for (const id of tracked) await topic.message(id as string);
  }

  /** Each event is in the topic once. */
  async function assertArrived(tracked: readonly (string | null)[]): Promise<void> {
    await assertNotLost(tracked);
    await sleep(200);
    assertOnce(tracked);
  }

  function assertOnce(tracked: readonly (string | null)[]): void {
    for (const id of tracked) assert.equal(topic.deliveries(id as string), 1);
  }

  /** The requests that the service gets while `run` runs. */
  async function requestsDuring(run: () => Promise<void>): Promise<readonly BatchRequest[]> {
    const { length } = service.requests;
    await run();
    return service.requests.slice(length);
  }

  it("the browser client sends to another origin with a key, and each event is in the topic once", async () => {
    const page = await open(service.url, { userId: "u-1" });
    const tracked = await track(page, 250);
    await assertArrived(tracked);
    const event = JSON.parse((await topic.message(tracked[0] as string)).data.toString()) as Record<string, unknown>;
    assert.match(JSON.stringify(event), /u-1/);
    assert.deepEqual(await dropsOf(page), []);
  });

  it("the browser client reports an invalid key and does not retry", async () => {
    const page = await open(service.url, { writeKey: "wrong" });
    const tracked = await track(page, 2);
    await eventually(async () => (await dropsOf(page)).length === 2, "both are dropped");
    for (const { reason, errors } of await dropsOf(page)) {
      assert.deepEqual([reason, errors], ["refused", [{ field: "", message: "This write key is not valid" }]]);
    }
    assert.ok(tracked.every((id) => !topic.messages.has(id as string)));
  });

  it("the browser client keeps events while the service is down and sends them afterwards", async () => {
    const page = await open(service.url);
    const tracked = await track(page, 3);
    await assertArrived(tracked);
    await service.goAway();
    const failed = page.waitForEvent("requestfailed");
    tracked.push(...(await track(page, 5)));
    await failed;
    await service.comeBack();
    tracked.push(...(await track(page, 2)));
    await assertArrived(tracked);
  });

  it("the browser client respects Retry-After while Pub/Sub is unavailable", async () => {
    const impatient = { PUBLISH_TIMEOUT: "3s" };
    const other = await services.start(topic, { origins: [site.origin], writeKey: KEY, env: impatient });
    const page = await open(other.url);
    await assertArrived(await track(page, 1));
    const times: { at: number; retryAfter?: string }[] = [];
    page.on("request", (request) => {
      if (request.method() === "POST") times.push({ at: Date.now() });
    });
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    let tracked: (string | null)[];
    let retryAfterSec: number;
    try {
      const refused = page.waitForResponse((response) => response.status() === 503);
      tracked = await track(page, 1);
      retryAfterSec = Number(await (await refused).headerValue("retry-after"));
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
    await topic.message(tracked[0] as string);
    await eventually(() => times.length >= 2, "another attempt");
    assert.ok(retryAfterSec >= 1);
    const [first, second] = times as [{ at: number }, { at: number }];
    assert.ok(second.at - first.at >= retryAfterSec * 1000, `${second.at - first.at} ms`);
  });

  it("the browser client sends its queue on navigation, again from the next page, and the session continues there", async () => {
    const page = await open(service.url, { flushInterval: 1_000_000 });
    const tracked = await track(page, 40, 500);
    const { length } = service.requests;
    const requests = await requestsDuring(async () => {
      await visit(page, service.url, {}, "/next");
      assert.deepEqual(await flush(page), { sent: 40, dropped: 0, pending: 0 });
      await assertNotLost(tracked);
      await eventually(() => service.requests.length >= length + 2, "both requests are answered");
    });
    assert.deepEqual(
      new Set(requests.map(({ contentType, events }) => `${contentType} ${events}`)),
      new Set(["text/plain;charset=UTF-8 40", "application/json 40"]),
    );
    assert.deepEqual(Object.keys(await storedIn(page)).sort(), ["eventlogger.anonymous", "eventlogger.session"]);
    const [next] = await track(page, 1);
    assert.equal(sessionOf(await topic.message(next as string)), sessionOf(await topic.message(tracked[0] as string)));
  });

  it("the browser client sends its queue when the tab is closed, in several beacons if it is large, and the next tab the rest", async () => {
    const page = await open(service.url, { flushInterval: 1_000_000, batchSize: 1000 });
    // More than the 64 KiB that browsers let go: as much as possible is sent.
    const tracked = await track(page, 90, 800);
    const arrived = (): (string | null)[] => tracked.filter((id) => topic.messages.has(id as string));
    const { length } = service.requests;
    const requests = await requestsDuring(async () => {
      await page.close({ runBeforeUnload: true });
      await eventually(() => arrived().length >= 50, "most have arrived");
      await eventually(() => service.requests.length >= length + 2, "several requests are answered");
      await sleep(200);
    });
    assertOnce(arrived());
    assert.deepEqual(new Set(requests.map(({ status }) => status)), new Set([200]));
    const next = await open(service.url);
    await eventually(async () => {
      await flush(next);
      return arrived().length === tracked.length;
    }, "the next tab sends the rest");
  });

  it("the browser client loses no event of tabs that are closed while the service is down", async () => {
    const tabs = [await open(service.url), await open(service.url), await open(service.url)] as const;
    await service.goAway();
    const tracked: (string | null)[] = [];
    for (const tab of tabs) {
      await storageIsShared();
      tracked.push(...(await track(tab, 4)));
    }
    await Promise.all([tabs[0].close({ runBeforeUnload: true }), tabs[1].close({ runBeforeUnload: true })]);
    await service.comeBack();
    const next = await open(service.url);
    await eventually(async () => {
      const results = [await flush(tabs[2]), await flush(next)];
      return results.every(({ pending }) => pending === 0) && tracked.every((id) => topic.messages.has(id as string));
    }, "the other tabs send all events");
    assert.equal(new Set(await Promise.all(tracked.map(personOf))).size, 1);
    const isEmpty = async (): Promise<boolean> =>
      !Object.keys(await storedIn(next)).some((key) => key.startsWith("eventlogger.queue"));
    await eventually(isEmpty, "no event is left in storage");
  });

  it("the browser client stores and sends nothing before consent, and withdrawing clears all tabs", async () => {
    const [page, other] = [await open(service.url, { requireConsent: true }), await open(service.url)];
    await other.evaluate(() => (globalThis as unknown as PageGlobals).client.close());
    const tracked = await track(page, 2);
    const requests = await requestsDuring(() => page.waitForTimeout(300));
    assert.deepEqual([requests, await storedIn(page)], [[], {}]);
    const consent = (isGranted: boolean): Promise<void> =>
      page.evaluate((granted) => (globalThis as unknown as PageGlobals).client.consent(granted), isGranted);
    await consent(true);
    await assertArrived(tracked);
    const third = await open(service.url);
    await assertArrived(await track(third, 1));
    await consent(false);
    const isRefused = (): Promise<boolean> =>
      third.evaluate(() => (globalThis as unknown as PageGlobals).client.anonymousId() === null);
    await eventually(isRefused, "the other tab withdraws, too");
    assert.deepEqual([await track(third, 1), await storedIn(page)], [[null], {}]);
  });

  it("the browser client sends its queue when the page is hidden, and not again when it is shown", async () => {
    const page = await open(service.url, { flushInterval: 1_000_000 });
    const tracked = await track(page, 3);
    // A browser without windows hides none.
    const show = (state: string): Promise<void> =>
      page.evaluate(`
        Object.defineProperty(document, "visibilityState", { value: "${state}", configurable: true });
        document.dispatchEvent(new Event("visibilitychange"))`);
    const requests = await requestsDuring(async () => {
      await show("hidden");
      await assertArrived(tracked);
      await show("visible");
      // Would send again whatever is not answered.
      const result = await page.evaluate(() => (globalThis as unknown as PageGlobals).client.flush());
      assert.deepEqual(result, { sent: 3, dropped: 0, pending: 0 });
    });
    assertOnce(tracked);
    assert.deepEqual(
      requests.map(({ contentType }) => contentType),
      ["text/plain;charset=UTF-8"],
    );
  });

  it("the browser client starts a new session in all tabs after 30 min without an event", async () => {
    const session = async (page: Page): Promise<unknown> => {
      await storageIsShared();
      const [id] = await track(page, 1);
      await page.evaluate(() => (globalThis as unknown as PageGlobals).client.flush());
      return sessionOf(await topic.message(id as string));
    };
    const start = Date.now();
    await context.clock.install({ time: start });
    const [one, other] = [await open(service.url), await open(service.url)];
    const setTime = async (ms: number): Promise<void> => {
      for (const page of [one, other]) await page.clock.setSystemTime(start + ms);
    };
    const first = await session(one);
    assert.equal(await session(other), first);
    await setTime(HALF_HOUR - 60_000);
    assert.equal(await session(one), first);
    // More than 30 min after the last event of this tab, less after the last of the other one.
    await setTime(2 * HALF_HOUR - 120_000);
    assert.equal(await session(other), first);
    await setTime(3 * HALF_HOUR);
    const second = await session(one);
    assert.notEqual(second, first);
    assert.equal(await session(other), second);
  });

  it("the browser client starts a new session in all tabs after identify(null) and after reset", async () => {
    const sessionIn = async (page: Page): Promise<unknown> => {
      await storageIsShared();
      const [id] = await track(page, 1);
      return sessionOf(await topic.message(id as string));
    };
    const [one, other] = [await open(`${service.url}/events/`, { userId: "u-1" }), await open(service.url)];
    const first = await sessionIn(one);
    await one.evaluate(() => (globalThis as unknown as PageGlobals).client.identify(null));
    const second = await sessionIn(other);
    assert.notEqual(second, first);
    assert.equal(await sessionIn(one), second);
    await one.evaluate(() => (globalThis as unknown as PageGlobals).client.reset());
    const third = await sessionIn(other);
    assert.notEqual(third, second);
    assert.equal(await sessionIn(one), third);
    const ids = all.slice(-5);
    const people = await Promise.all(ids.map(personOf));
    assert.deepEqual(people, [people[0], people[0], people[0], people[3], people[3]]);
    assert.notEqual(people[3], people[0]);
  });

  it("the browser client warns once on the console about a wrong key when there is no onDrop", async () => {
    const page = await open(service.url);
    const warnings: string[] = [];
    page.on("console", (message) => void (message.type() === "warning" && warnings.push(message.text())));
    const result = await page.evaluate(async (url) => {
      const client = (globalThis as unknown as PageGlobals).createClient({ url, writeKey: "wrong" });
      for (let i = 0; i < 3; i++) client.track(`wrong${i}`);
      return client.close();
    }, service.url);
    assert.deepEqual(result, { sent: 0, dropped: 3, pending: 0 });
    await eventually(() => warnings.length > 0, "a warning");
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] as string,
      /^eventlogger: event "wrong0" was dropped: refused; This write key is not valid/,
    );
  });

  it("the browser client works in a page without storage", async () => {
    const other = await services.start(topic, { origins: ["*"], writeKey: KEY });
    const page = await open(other.url, {}, "/sandboxed/");
    assert.equal(
      await page.evaluate(() => {
        try {
          return typeof (globalThis as { localStorage?: unknown }).localStorage;
        } catch (error) {
          return (error as Error).name;
        }
      }),
      "SecurityError",
    );
    const tracked = await track(page, 3);
    await assertArrived(tracked);
    const sessions = await Promise.all(tracked.map(async (id) => sessionOf(await topic.message(id as string))));
    assert.equal(new Set(sessions).size, 1);
  });

  it("the browser client sent no event that was not tracked", () => {
    assert.ok(topic.messages.size > 300);
    for (const id of topic.messages.keys()) assert.ok(all.includes(id), id);
  });
});
