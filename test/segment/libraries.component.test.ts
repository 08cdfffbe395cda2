import assert from "node:assert/strict";
import { eventually } from "@eventlogger/ingest/testing/fixture";
import { metricsOf } from "@eventlogger/ingest/testing/metrics";
import { findNginx } from "@eventlogger/nginx/findNginx";
import { findChromium, startChromium } from "../client/testing/chromium";
import { browserSender, expectedOfBrowser } from "./testing/browserLibrary";
import type { ExpectedEvent } from "./testing/calls";
import { needsBrowser, readExamples, runExample } from "./testing/examples";
import { sendWithGo } from "./testing/goLibrary";
import { sendWithJava } from "./testing/javaLibrary";
import { sendWithNode } from "./testing/nodeLibrary";
import { sendWithPython } from "./testing/pythonLibrary";
import { UNAVAILABLE, useLibraryRig } from "./testing/rig";

const NO_CHROMIUM = new Error("Chromium is not installed");
/** The user in the programs on the page about sending events. */
const USER_OF_EXAMPLES = "u-1001";
/** OkHttp, which the Java library sends with, repeats such a request at once. */
const REPEAT_AT_ONCE = { ...UNAVAILABLE, retryAfter: "0" };

(findNginx() ? describe : describe.skip)("Segment's libraries, unchanged, through nginx (needs nginx)", () => {
  const rig = useLibraryRig();

  async function assertBrowserExact(): Promise<void> {
    if (!findChromium()) throw NO_CHROMIUM;
    const browser = await startChromium();
    try {
      const send = browserSender(browser, () => rig.arrived(rig.callsOf("browser")));
      // Without a window, it is a bot.
      await rig.assertExact({ name: "browser", send, platform: "web", isBot: true, expected: expectedOfBrowser });
    } finally {
      await browser.close();
    }
  }

  const RUNS: readonly (readonly [string, () => Promise<void>])[] = [
    ["@segment/analytics-node", () => rig.assertExact({ name: "node", send: sendWithNode, platform: "server" })],
    ["segment-analytics-python", () => rig.assertExact({ name: "python", send: sendWithPython, platform: "server" })],
    [
      "com.segment.analytics.java",
      () => rig.assertExact({ name: "java", send: sendWithJava, platform: "server", answer: REPEAT_AT_ONCE }),
    ],
    ["analytics-go", () => rig.assertExact({ name: "go", send: sendWithGo, platform: "server" })],
    ["@segment/analytics-next in a browser (needs Chromium)", assertBrowserExact],
  ];
  /** All at the same time, because libraries mostly wait before they try again. */
  let runs: ReadonlyMap<string, Promise<Error | undefined>>;
  before(() => {
    const start = (run: () => Promise<void>): Promise<Error | undefined> =>
      run().then(
        () => undefined,
        (error: unknown) => error as Error,
      );
    runs = new Map(RUNS.map(([library, run]) => [library, start(run)]));
  });

  for (const [library] of RUNS) {
    it(`${library} sends 1,000 calls with retries, and each is one event with its ids, time and name`, async function () {
      const problem = await runs.get(library);
      if (problem === NO_CHROMIUM) this.skip();
      if (problem !== undefined) throw problem;
    });
  }

  const examples = readExamples();
  it("the page about sending events has a program for each way to send", () => {
    assert.deepEqual(
      examples.map(({ title, language }) => `${title}: ${language}`),
      [
        "curl: sh",
        "Our client in a browser: html",
        "Our client in Node: js",
        "Segment in a browser: js",
        "Segment in Node: js",
        "Segment in Python: python",
        "Segment in Java: java",
      ],
    );
  });

  for (const example of examples) {
    it(`the program under "${example.title}" on the page about sending events sends its event`, async function () {
      if (needsBrowser(example) && !findChromium()) this.skip();
      const browser = needsBrowser(example) ? await startChromium() : undefined;
      const { topic, url, directory } = rig;
      const known = new Set(topic.messages.keys());
      const isOrder = ({ name, user }: ExpectedEvent): boolean => name === "order" && user === USER_OF_EXAMPLES;
      const hasArrived = (): boolean =>
        [...topic.messages.keys()].some((id) => !known.has(id) && isOrder(rig.eventOf(id)));
      const arrived = (): Promise<void> => eventually(hasArrived, "the event is in the topic");
      try {
        await runExample(example, { url, directory, arrived }, browser);
      } finally {
        await browser?.close();
      }
    });
  }

  it("no library of Segment has sent anything else, and nothing was rejected", async () => {
    const { topic, replica, sent } = rig;
    const others = [...topic.messages.keys()].filter((id) => rig.eventOf(id).user !== USER_OF_EXAMPLES);
    assert.deepEqual(new Set(others), new Set(sent.map(({ id }) => id)));
    const metrics = await metricsOf(replica.url);
    assert.deepEqual(
      [...metrics.keys()].filter((series) => series.startsWith("ingest_events_rejected_total")),
      [],
    );
    assert.ok((metrics.get('ingest_events_accepted_total{key="shop"}') ?? 0) >= sent.length);
  });
});
