import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { useIngest } from "@eventlogger/ingest/testing/fixture";
import { post, postBatch, sampleEvent } from "@eventlogger/ingest/testing/requests";
import { RowWriter } from "@eventlogger/pipeline/io/bigquery/rowWriter";
import type { EventRow } from "@eventlogger/gcp/bigquery/tables";
import { eventRow } from "@eventlogger/pipeline/io/bigquery/eventRow";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { startRelay, type Relay } from "@eventlogger/process/testing/relay";
import { waitUntil } from "@eventlogger/process/wait";
import { RecordingLoad } from "./recordingLoad";
import { statusesText } from "./faultReport";
import { TopicReader } from "./topicReader";
import { startGrpcFaultProxy, type GrpcFaultProxy } from "./rig/grpcFaultProxy";
import { startHttpFaultProxy, type HttpFaultProxy } from "./rig/httpFaultProxy";
import { readTables } from "./rig/ledger";

const PUBLISH = /Publisher\/Publish$/;

describe("Ingest with a Pub/Sub whose calls fail, short", () => {
  const ingest = useIngest();
  let proxy: GrpcFaultProxy;
  before(async () => void (proxy = await startGrpcFaultProxy(ingest.emulator.host)));
  after(() => proxy?.stop());
  afterEach(() => {
    proxy.faults.set();
    proxy.keepsMessage = undefined;
  });

  it("every event that got a 2xx is in the topic when 10 % of the publishes fail, 10 % time out, and 10 % of the answers are lost", async () => {
    const reader = await TopicReader.create(ingest.pubsub, "failing-calls");
    const env = { TOPIC: reader.topic, PUBSUB_EMULATOR_HOST: proxy.host, PUBLISH_TIMEOUT: "2s" };
    const replica = await ingest.startReplica(env);
    proxy.faults.set({ share: 0.3, kinds: ["error", "no answer", "answer lost"], only: PUBLISH });
    const load = new RecordingLoad({ port: replica.port, run: "failing-calls", singles: 8, batchers: 2 });
    try {
      const enough = (): boolean => proxy.faults.total >= 30 && load.acknowledged.length >= 500;
      await waitUntil("faults and acknowledged events", enough, {
        timeoutMs: 60_000,
        details: () => `${statusesText(load.statuses)}; ${JSON.stringify(proxy.faults.counts)}`,
      });
      proxy.faults.set();
      await load.stop();
      const { missing } = await reader.readToEnd(load.acknowledged);
      assert.deepEqual(missing, []);
    } finally {
      await load.stop();
      await reader.close();
    }
  });

  it("an event without a message id in an answer of Pub/Sub is answered with 503, and counts once after a retry", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name, PUBSUB_EMULATOR_HOST: proxy.host });
    const batch = Array.from({ length: 30 }, (_, i) => sampleEvent({ event_id: `batch-${i}` }));
    // Pub/Sub rejects a third of the messages and answers OK.
    proxy.keepsMessage = (index) => index % 3 !== 2;
    assert.equal((await postBatch(replica.url, batch)).status, 503);
    assert.ok(proxy.rejectedMessages > 0);
    const statuses = await Promise.all(
      Array.from(
        { length: 60 },
        async (_, i) => (await post(replica.url, sampleEvent({ event_id: `one-${i}` }))).status,
      ),
    );
    proxy.keepsMessage = undefined;
    assert.equal((await postBatch(replica.url, batch)).status, 200);
    const acknowledged = [
      ...batch.map(({ event_id }) => String(event_id)),
      ...statuses.flatMap((status, i) => (status === 204 ? [`one-${i}`] : [])),
    ];
    for (const id of acknowledged) await topic.message(id);
  });

  it("good events are accepted and bad ones rejected one by one when half of the events are invalid", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name });
    const good = Array.from({ length: 20 }, (_, i) => sampleEvent({ event_id: `good-${i}` }));
    const bad = good.map((_, i) => ({ ...sampleEvent({ event_id: `bad-${i}` }), session_id: "" }));
    const mixed = good.flatMap((event, i) => [event, bad[i]]);
    const answer = await postBatch(replica.url, mixed);
    assert.equal(answer.status, 200);
    const { accepted, rejected } = (await answer.json()) as { accepted: number; rejected: { index: number }[] };
    assert.equal(accepted, good.length);
    assert.deepEqual(
      rejected.map(({ index }) => index),
      bad.map((_, i) => 2 * i + 1),
    );
    const statuses = await Promise.all(bad.map(async (event) => (await post(replica.url, event)).status));
    assert.deepEqual([...new Set(statuses)], [400]);
    for (const { event_id } of good) await topic.message(String(event_id));
    assert.deepEqual(
      [...topic.messages.keys()].filter((id) => id.startsWith("bad")),
      [],
    );
  });
});

describe("The sink with a BigQuery whose calls or connections fail, short", () => {
  const warehouse = useBigQueryEmulator();
  let proxy: HttpFaultProxy;
  let network: Relay;
  before(async () => {
    proxy = await startHttpFaultProxy(warehouse.emulator.url);
    network = await startRelay(new URL(proxy.url).host);
  });
  after(async () => {
    await network?.stop();
    await proxy?.stop();
  });
  afterEach(async () => {
    proxy.faults.set();
    proxy.faults.passed = 0;
    network.setConditions({});
    await network.restore();
  });

  /** Writes rows in many small requests. `during` is called when they are on their way. @returns the reasons of retries */
  async function writeRows(count: number, during: () => Promise<void> = async () => {}): Promise<string[]> {
    const dataset = await warehouse.freshDataset();
    const retries: string[] = [];
    const writer = new RowWriter<EventRow>({
      project: warehouse.project,
      dataset,
      table: "events",
      endpoint: `http://${network.host}`,
      maxBatchRows: 10,
      requestTimeoutMs: 1000,
      backoff: { initialMs: 20, maxMs: 200 },
      onRetry: ({ error }) => retries.push(error),
    });
    const now = Date.now();
    const rows = Array.from({ length: count }, (_, i) =>
      eventRow(event({ event_id: `e${i}`, event_time: now, received_at: now })),
    );
    const writing = (async () => {
      for (const row of rows) await writer.write(row, row.event_id);
      return writer.flush();
    })();
    const [refused] = await Promise.all([writing, during()]);
    assert.deepEqual(refused, []);
    const { eventIds } = await readTables(warehouse.bigquery, dataset);
    assert.equal(eventIds.size, count);
    return retries;
  }
  const isTimeout = (reason: string): boolean => reason.includes("has not answered");

  it("every row is written when 10 % of the inserts fail, 10 % time out, and 10 % of the answers are lost", async () => {
    proxy.faults.set({ share: 0.3, kinds: ["error", "no answer", "answer lost"], only: /insertAll/ });
    const retries = await writeRows(300);
    assert.ok(retries.some(isTimeout), retries.join("\n"));
    for (const [kind, count] of Object.entries(proxy.faults.counts)) assert.ok(count > 0, kind);
  });

  it("every row is written over a slow connection that is reset, cut into small pieces, half open and then silent", async () => {
    network.setConditions({ delayMs: 50, sliceBytes: 1000, bytesPerSecond: 500_000, resetEvery: 9 });
    const retries = await writeRows(600, async () => {
      await waitUntil("the first inserts", () => proxy.faults.passed > 5);
      network.forgetConnections();
      await sleep(300);
      network.swallow();
      await sleep(1500);
      await network.restore();
    });
    assert.ok(retries.some(isTimeout), retries.join("\n"));
    assert.ok(!retries.every(isTimeout), "connections were reset");
  });
});
