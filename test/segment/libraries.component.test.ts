import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeMessage } from "@eventlogger/events/eventMessage";
import { eventually, useIngest, type TestReplica, type TestTopic } from "@eventlogger/ingest/testing/fixture";
import { metricsOf } from "@eventlogger/ingest/testing/metrics";
import { startNginx } from "@eventlogger/nginx/testing/startNginx";
import { findNginx } from "@eventlogger/nginx/findNginx";
import type { ChildProcess } from "@eventlogger/process/childProcess";
import { findChromium, startChromium } from "../client/testing/chromium";
import { startHttpFaultProxy, type ErrorAnswer } from "../faults/rig/httpFaultProxy";
import { browserSender, expectedOfBrowser } from "./testing/browserLibrary";
import { expectedOf, makeCalls, type Call, type ExpectedEvent } from "./testing/calls";
import { sendWithJava } from "./testing/javaLibrary";
import { sendWithNode } from "./testing/nodeLibrary";
import { sendWithPython } from "./testing/pythonLibrary";
import type { Sender } from "./testing/sender";

const NO_CHROMIUM = new Error("Chromium is not installed");
const CALLS = 1000;
const WRITE_KEY = "segment-key";
const UNAVAILABLE: readonly ErrorAnswer[] = [{ status: 503, reason: "unavailable" }];
/** OkHttp, which the Java library sends with, repeats such a request at once; the library itself waits for 15 s. */
const REPEAT_AT_ONCE: readonly ErrorAnswer[] = [{ status: 503, reason: "unavailable", retryAfter: "0" }];

(findNginx() ? describe : describe.skip)("Segment's libraries, unchanged, through nginx (needs nginx)", function () {
  this.timeout(240_000);
  const ingest = useIngest();
  let topic: TestTopic;
  let replica: TestReplica;
  let nginx: { readonly port: number; readonly process: ChildProcess };
  let directory: string;
  const sent: Call[] = [];

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "segment-"));
    const keys = join(directory, "keys");
    writeFileSync(keys, JSON.stringify({ shop: WRITE_KEY }));
    topic = await ingest.freshTopic();
    replica = await ingest.startReplica({ TOPIC: topic.name, WRITE_KEYS_FILE: keys, CORS_ORIGINS: "*" });
    nginx = await startNginx(directory, [replica.port]);
  });
  after(async () => {
    await nginx?.process.stop();
    rmSync(directory, { recursive: true });
  });

  async function arrived(calls: readonly Call[]): Promise<void> {
    await eventually(() => calls.every(({ id }) => topic.messages.has(id)), "every call is in the topic", 120_000);
  }

  function eventOf(id: string): ExpectedEvent {
    const message = topic.messages.get(id);
    assert.ok(message, id);
    const decoded = decodeMessage(message.data, { messageId: message.id, publishTime: message.publishTime.getTime() });
    assert.ok(decoded.ok, id);
    const { event_id, user_id, anonymous_id, event_name, event_time } = decoded.event;
    return { id: event_id, user: user_id, anonymous: anonymous_id, name: event_name, time: event_time };
  }

  /** Sends calls through a proxy that fails every third request: without publishing its calls, or after it. */
  async function assertExact(
    name: string,
    send: Sender,
    {
      answers = UNAVAILABLE,
      expected = (calls: readonly Call[]): readonly ExpectedEvent[] => calls.map(expectedOf),
    } = {},
  ): Promise<void> {
    const calls = makeCalls(name, CALLS);
    sent.push(...calls);
    const proxy = await startHttpFaultProxy(`http://127.0.0.1:${nginx.port}`, answers);
    proxy.faults.set({ share: 1 / 3, kinds: ["answer lost", "error"] });
    try {
      await send({ url: proxy.url, writeKey: WRITE_KEY, calls, directory });
      await arrived(calls);
    } finally {
      await proxy.stop();
    }
    assert.deepEqual(
      calls.map(({ id }) => eventOf(id)),
      expected(calls),
    );
    const { error, "answer lost": lost } = proxy.faults.counts;
    assert.ok(error > 0 && lost > 0, `${error} requests failed, ${lost} answers were lost`);
    assert.ok(
      calls.some(({ id }) => topic.deliveries(id) > 1),
      "some calls are published twice",
    );
  }

  async function assertBrowserExact(): Promise<void> {
    if (!findChromium()) throw NO_CHROMIUM;
    const browser = await startChromium();
    try {
      const send = browserSender(browser, () => arrived(makeCalls("browser", CALLS)));
      await assertExact("browser", send, { expected: expectedOfBrowser });
    } finally {
      await browser.close();
    }
  }

  const RUNS: readonly (readonly [string, () => Promise<void>])[] = [
    ["@segment/analytics-node", () => assertExact("node", sendWithNode)],
    ["segment-analytics-python", () => assertExact("python", sendWithPython)],
    ["com.segment.analytics.java", () => assertExact("java", sendWithJava, { answers: REPEAT_AT_ONCE })],
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

  it("no library of Segment has sent anything else, and nothing was rejected", async () => {
    assert.deepEqual(new Set(topic.messages.keys()), new Set(sent.map(({ id }) => id)));
    const metrics = await metricsOf(replica.url);
    assert.deepEqual(
      [...metrics.keys()].filter((series) => series.startsWith("ingest_events_rejected_total")),
      [],
    );
    assert.ok((metrics.get('ingest_events_accepted_total{key="shop"}') ?? 0) >= sent.length);
  });
});
