import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { expectedOf, type Call, type ExpectedEvent } from "./calls";
import type { Sender } from "./sender";

const LIBRARY = require.resolve("@segment/analytics-next/dist/umd/index.js");

/** Options of a call; the rest of the library's types need a browser. */
interface CallOptions {
  readonly messageId: string;
  readonly timestamp: Date;
  readonly anonymousId: string;
}

/** What the test uses of the library, in the page. */
interface BrowserAnalytics {
  track(event: string, properties: object, options: CallOptions): Promise<unknown>;
  page(category: null, name: string, properties: object, options: CallOptions): Promise<unknown>;
  screen(category: null, name: string, properties: object, options: CallOptions): Promise<unknown>;
  identify(userId: string, traits: object, options: CallOptions): Promise<unknown>;
  alias(userId: string, previousId: string, options: CallOptions): Promise<unknown>;
  group(groupId: string, traits: object, options: CallOptions): Promise<unknown>;
}

interface PageGlobals {
  readonly AnalyticsNext: { readonly AnalyticsBrowser: { load(settings: object, options: object): BrowserAnalytics } };
}

/** Makes the calls, one after the other. Runs in the page. */
async function makeCalls({ writeKey, host, calls, batching }: PageTask): Promise<void> {
  const { AnalyticsBrowser } = (globalThis as unknown as PageGlobals).AnalyticsNext;
  const deliveryStrategy = batching ? { strategy: "batching", config: { size: 50, timeout: 200 } } : {};
  const destination = { apiKey: writeKey, apiHost: `${host}/v1`, protocol: "http", deliveryStrategy };
  const analytics = AnalyticsBrowser.load(
    { writeKey, cdnSettings: { integrations: { "Segment.io": destination } } },
    { integrations: { "Segment.io": destination } },
  );
  const make = ({ kind, id, user, anonymous, name, time }: Call): Promise<unknown> => {
    const options = { messageId: id, timestamp: new Date(time), anonymousId: anonymous };
    switch (kind) {
      case "track":
        return analytics.track(name, { price: 12.5 }, options);
      case "page":
        return analytics.page(null, name, {}, options);
      case "screen":
        return analytics.screen(null, name, {}, options);
      case "identify":
        return analytics.identify(user, { plan: "pro" }, options);
      case "alias":
        return analytics.alias(user, anonymous, options);
      case "group":
        return analytics.group(name, {}, options);
    }
  };
  for (const call of calls) await make(call);
}

/** A browser has one user at a time: the one of the last identify call. The library also replaces the user of alias by it. */
export function expectedOfBrowser(calls: readonly Call[]): readonly ExpectedEvent[] {
  let user: string | null = null;
  return calls.map((call) => {
    if (call.kind === "identify") user = call.user;
    return { ...expectedOf(call), user };
  });
}

interface PageTask {
  readonly writeKey: string;
  readonly host: string;
  readonly calls: readonly Call[];
  readonly batching: boolean;
}

/** Opens a page on an origin of its own, which can load the library as `/analytics.js`. */
export async function servePage(
  browser: Browser,
  html: string,
): Promise<{ readonly page: Page; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const isScript = request.url === "/analytics.js";
    response.writeHead(200, { "Content-Type": isScript ? "text/javascript" : "text/html" });
    response.end(isScript ? readFileSync(LIBRARY) : `<!doctype html><title>shop</title>${html}`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/cart?token=secret`);
  return {
    page,
    close: async () => {
      await page.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Calls that are sent one by one: each kind has an endpoint of its own. */
const SINGLE_CALLS = 20;
/** Calls of one instance of the library, whose time for a batch grows with the square of the calls that wait. */
const CALLS_OF_INSTANCE = 140;

/**
 * Sends with @segment/analytics-next in a page, most calls in batches. The page stays open until `arrived` resolves: the
 * library does not tell when a batch is sent.
 */
export function browserSender(browser: Browser, arrived: () => Promise<void>): Sender {
  return async function sendWithBrowser({ url, writeKey, calls }) {
    const { page, close } = await servePage(browser, '<script src="/analytics.js"></script>');
    try {
      const { host } = new URL(url);
      await page.evaluate(makeCalls, { writeKey, host, calls: calls.slice(0, SINGLE_CALLS), batching: false });
      for (let start = SINGLE_CALLS; start < calls.length; start += CALLS_OF_INSTANCE) {
        const some = calls.slice(start, start + CALLS_OF_INSTANCE);
        await page.evaluate(makeCalls, { writeKey, host, calls: some, batching: true });
      }
      await arrived();
    } finally {
      await close();
    }
  };
}
