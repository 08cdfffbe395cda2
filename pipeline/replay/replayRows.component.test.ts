import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Message, Subscription } from "@google-cloud/pubsub";
import { dayStart } from "@eventlogger/events/day";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { decodeReplay, type ReplayEvent } from "@eventlogger/events/replayMessage";
import { countRows } from "@eventlogger/gcp/bigquery/replay/countRows";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { replayNames } from "@eventlogger/gcp/pubsub/replayNames";
import { removeReplay, setUpReplay } from "@eventlogger/gcp/pubsub/setup/setUpReplay";
import { usePubSubEmulator } from "@eventlogger/gcp/pubsub/testing/usePubSubEmulator";
import { waitUntil } from "@eventlogger/process/wait";
import { eventRow } from "../io/bigquery/eventRow";
import { replayRows, type ReplayRequest } from "./replayRows";

const LIVE = { topic: "events", subscription: "events-pipeline" };
const REPLAY = replayNames(LIVE, 1);
/** The days of receipt, and the number of their rows. */
const DAYS: Readonly<Record<string, number>> = { "2026-03-01": 700, "2026-03-02": 1, "2026-03-05": 650 };

function events(): AnalyticsEvent[] {
  return Object.entries(DAYS).flatMap(([day, n]) =>
    Array.from({ length: n }, (_, i) => {
      const received_at = Date.parse(`${day}T12:00:00Z`) + i;
      // Every tenth event is a month older than its receipt.
      const event_time = received_at - (i % 10 ? 5000 : dayStart(30));
      const user_id = i % 3 ? `user "${i % 7}"\n` : null;
      const ids = { event_id: `${day} ${i}`, session_id: `s${i % 50}`, user_id };
      return event({ ...ids, anonymous_id: i % 4 ? `a${i % 11}` : null, is_bot: i % 5 === 0, event_time, received_at });
    }),
  );
}
const expected = (of: readonly AnalyticsEvent[]): ReplayEvent[] =>
  of.map(({ event_id, session_id, event_name, event_time, user_id, anonymous_id, is_bot, received_at }) => {
    return { event_id, session_id, event_name, event_time, user_id, anonymous_id, is_bot, received_at };
  });
const byId = (list: readonly ReplayEvent[]): ReplayEvent[] =>
  [...list].sort((a, b) => (a.event_id < b.event_id ? -1 : 1));

describe("replayRows", () => {
  const bigquery = useBigQueryEmulator();
  const emulator = usePubSubEmulator();
  const all = events();
  let dataset: string;
  let subscription: Subscription;
  let messages: Message[];

  before(async () => {
    await emulator.pubsub.createTopic(LIVE.topic);
    dataset = await bigquery.freshDataset();
    await bigquery.bigquery.dataset(dataset).table("events").insert(all.map(eventRow));
  });
  beforeEach(async () => {
    await setUpReplay(emulator.pubsub, { ...LIVE, generation: 1 });
    messages = [];
    subscription = emulator.pubsub.subscription(REPLAY.subscription);
    subscription.on("message", (message: Message) => {
      messages.push(message);
      message.ack();
    });
  });
  afterEach(async () => {
    await subscription.close();
    await removeReplay(emulator.pubsub, REPLAY);
  });

  const replay = (request: Partial<ReplayRequest> = {}) =>
    replayRows({
      ...{
        bigquery: bigquery.bigquery,
        dataset,
        pubsub: emulator.pubsub,
        topic: REPLAY.topic,
        generation: 1,
        rows: {},
      },
      ...request,
    });
  const replayed = (): ReplayEvent[] =>
    messages.flatMap(({ data }) =>
      [...decodeReplay(data)].map((line) => (line.ok ? line.event : assert.fail(line.message))),
    );
  async function received(n: number): Promise<ReplayEvent[]> {
    await waitUntil("the messages", () => replayed().length >= n);
    return byId(replayed());
  }

  it("publishes every row once, with the counts of the partitions, in pages and in several queries for a partition", async () => {
    const partitions: [string, number][] = [];
    const result = await replay({
      reading: { maxQueryRows: 300, pageRows: 100 },
      onPartition: ({ partition, rows }) => void partitions.push([partition, rows]),
    });
    assert.deepEqual([...result.partitions], Object.entries(DAYS));
    assert.deepEqual(partitions, Object.entries(DAYS));
    assert.equal(result.rows, all.length);
    assert.deepEqual(await received(all.length), byId(expected(all)));
    assert(messages.every(({ attributes }) => attributes["replay"] === "1" && attributes["dataset"] === dataset));
    const counts = await countRows(bigquery.bigquery, dataset, {});
    assert.deepEqual(
      counts.map(({ partition, rows }) => [partition, rows]),
      Object.entries(DAYS),
    );
  });

  it("publishes only rows of the selected days of receipt, days of events and times", async () => {
    const until = "2026-03-01T12:00:00.099Z";
    await replay({ rows: { receivedFrom: "2026-03-01", receivedTo: "2026-03-02", eventTo: "2026-02-28", until } });
    const wanted = all.filter(
      ({ received_at, event_time }) =>
        received_at <= Date.parse(until) && event_time < Date.parse("2026-03-01T00:00:00Z"),
    );
    assert.equal(wanted.length, 10);
    assert.deepEqual(await received(wanted.length), byId(expected(wanted)));
    assert.deepEqual([...(await replay({ rows: { partitions: [] } })).partitions], []);
  });

  it("text that is not a day never becomes part of the SQL", async () => {
    await assert.rejects(replay({ rows: { partitions: ["2026-03-01' OR TRUE --"] } }), /Not a day/);
    await assert.rejects(countRows(bigquery.bigquery, dataset, { until: "now" }), /Not a time in UTC/);
  });

  it("a rate limits the events of a second", async () => {
    const startedAt = performance.now();
    const { rows } = await replay({ rows: { partitions: ["2026-03-05"] }, rate: 500 });
    assert.equal(rows, 650);
    const seconds = (performance.now() - startedAt) / 1000;
    assert(seconds >= 650 / 500 - 0.2, `${seconds} s`);
    assert((await received(650)).length === 650 && messages.every(({ data }) => [...decodeReplay(data)].length <= 50));
  });

  it("ends with the reason of its signal, and everything before is complete", async () => {
    const controller = new AbortController();
    const done: string[] = [];
    let isInLast = false;
    // The messages of a partition are confirmed while the next one is read.
    const interrupt = (): void => {
      if (isInLast && done.length === 2) controller.abort(new Error("interrupted"));
    };
    const replaying = replay({
      signal: controller.signal,
      reading: { pageRows: 50 },
      onPartition: ({ partition }) => {
        done.push(partition);
        interrupt();
      },
      onProgress: ({ partition }) => {
        isInLast ||= partition === "2026-03-05";
        interrupt();
      },
      rate: 400,
    });
    await assert.rejects(replaying, /^Error: interrupted$/);
    assert.deepEqual(done, ["2026-03-01", "2026-03-02"]);
  });

  it("names the topic that is missing", async () => {
    await assert.rejects(replay({ topic: "events-replay-g9" }), /^UserError: Topic events-replay-g9 does not exist/);
  });

  it("requests a page again that BigQuery could not send, and reads each row once", async () => {
    let failures = 0;
    // Forwards requests to the emulator, and fails the first two for a further page.
    const server = createServer((request, response) => {
      void (async () => {
        const body = await text(request);
        const isFailure = /\/queries\/.*pageToken/.test(request.url ?? "") && failures++ < 2;
        const answer = isFailure
          ? Response.json({ error: { code: 503, message: "try again" } }, { status: 503 })
          : await fetch(bigquery.emulator.url + (request.url ?? ""), {
              method: request.method ?? "GET",
              headers: { "Content-Type": "application/json" },
              ...(body && { body }),
            });
        response.writeHead(answer.status, { "Content-Type": "application/json" }).end(await answer.text());
      })();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const client = bigQueryClient({ project: bigquery.project, endpoint }, { autoRetry: false });
      const { rows } = await replay({ bigquery: client, reading: { pageRows: 200 } });
      assert.equal(rows, all.length);
      assert(failures > 2);
      assert.deepEqual(await received(all.length), byId(expected(all)));
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
