import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeMessage } from "@eventlogger/events/eventMessage";
import { eventually, useIngest, type TestReplica, type TestTopic } from "@eventlogger/ingest/testing/fixture";
import { startNginx } from "@eventlogger/nginx/testing/startNginx";
import type { ChildProcess } from "@eventlogger/process/childProcess";
import { startHttpFaultProxy, type ErrorAnswer } from "../../faults/rig/httpFaultProxy";
import { expectedOf, makeCalls, type Call, type ExpectedEvent } from "./calls";
import type { Sender } from "./sender";

/** Calls of each library. */
const CALLS = 1000;
/** The name of the keys, which is the app of events that name none. */
const APP = "shop";
const WRITE_KEY = "segment-key";

/** The answer to a request that fails. Libraries wait before they send again, some for half a minute. */
export const UNAVAILABLE: ErrorAnswer = { status: 503, reason: "unavailable" };

/** How a library sends. */
export interface LibraryRun {
  /** Part of the ids of its calls. */
  readonly name: string;
  readonly send: Sender;
  /** The platform of its events. */
  readonly platform: "server" | "web";
  /** Whether its user agent is that of a bot. @default false */
  readonly isBot?: boolean;
  /** The answer to failed requests. @default {@link UNAVAILABLE} */
  readonly answer?: ErrorAnswer;
  /** @default what each call names */
  readonly expected?: (calls: readonly Call[]) => readonly ExpectedEvent[];
}

export interface LibraryRig {
  readonly topic: TestTopic;
  readonly replica: TestReplica;
  /** URL of nginx. */
  readonly url: string;
  /** For files. */
  readonly directory: string;
  /** All calls that libraries were told to make. */
  readonly sent: readonly Call[];
  /** The calls of a library. */
  callsOf(name: string): readonly Call[];
  /** Waits until every call is in the topic. @throws Error when one is not */
  arrived(calls: readonly Call[]): Promise<void>;
  /** What the message with an id has. */
  eventOf(id: string): ExpectedEvent;
  /**
   * Sends calls through a proxy that fails every third request, without publishing its calls or after it, and compares each
   * event with its call.
   */
  assertExact(run: LibraryRun): Promise<void>;
}

/** Starts Pub/Sub's emulator, one replica and nginx around the tests of the `describe` that calls this. */
export function useLibraryRig(): LibraryRig {
  const ingest = useIngest();
  const sent: Call[] = [];
  let topic: TestTopic;
  let replica: TestReplica;
  let nginx: { readonly port: number; readonly process: ChildProcess } | undefined;
  let directory: string;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "segment-"));
    const keys = join(directory, "keys");
    writeFileSync(keys, JSON.stringify({ [APP]: [WRITE_KEY, "web-1", "server-1"] }));
    topic = await ingest.freshTopic();
    replica = await ingest.startReplica({ TOPIC: topic.name, WRITE_KEYS_FILE: keys, CORS_ORIGINS: "*" });
    nginx = await startNginx(directory, [replica.port]);
  });
  after(async () => {
    await nginx?.process.stop();
    rmSync(directory, { recursive: true });
  });

  const callsOf = (name: string): readonly Call[] => makeCalls(name, CALLS);

  async function arrived(calls: readonly Call[]): Promise<void> {
    await eventually(() => calls.every(({ id }) => topic.messages.has(id)), "every call is in the topic");
  }

  function decoded(id: string): Extract<ReturnType<typeof decodeMessage>, { ok: true }>["event"] {
    const message = topic.messages.get(id);
    assert.ok(message, id);
    const result = decodeMessage(message.data, { messageId: message.id, publishTime: message.publishTime.getTime() });
    assert.ok(result.ok, id);
    return result.event;
  }

  function eventOf(id: string): ExpectedEvent {
    const { event_id, user_id, anonymous_id, event_name, event_time } = decoded(id);
    return { id: event_id, user: user_id, anonymous: anonymous_id, name: event_name, time: event_time };
  }

  async function assertExact(run: LibraryRun): Promise<void> {
    const { name, send, platform, isBot = false, answer = UNAVAILABLE, expected = (all) => all.map(expectedOf) } = run;
    const calls = callsOf(name);
    sent.push(...calls);
    const files = join(directory, name);
    mkdirSync(files);
    const proxy = await startHttpFaultProxy(`http://127.0.0.1:${nginx?.port}`, [answer]);
    proxy.faults.set({ share: 1 / 3, kinds: ["answer lost", "error"] });
    try {
      await send({ url: proxy.url, writeKey: WRITE_KEY, calls, directory: files });
      await arrived(calls);
    } finally {
      await proxy.stop();
    }
    assert.deepEqual(
      calls.map(({ id }) => eventOf(id)),
      expected(calls),
    );
    for (const { id } of calls) {
      const event = decoded(id);
      assert.deepEqual([event.app, event.platform, event.is_bot], [APP, platform, isBot], id);
      assert.equal(event.original_event_time, null, id);
    }
    const { error, "answer lost": lost } = proxy.faults.counts;
    assert.ok(error > 0 && lost > 0, `${error} requests failed, ${lost} answers were lost`);
    await eventually(() => calls.some(({ id }) => topic.deliveries(id) > 1), "some calls are published twice");
  }

  return {
    get topic() {
      return topic;
    },
    get replica() {
      return replica;
    },
    get url() {
      return `http://127.0.0.1:${nginx?.port}`;
    },
    get directory() {
      return directory;
    },
    sent,
    callsOf,
    arrived,
    eventOf,
    assertExact,
  };
}
