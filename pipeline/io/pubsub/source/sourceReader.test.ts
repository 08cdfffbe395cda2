import assert from "node:assert/strict";
import { FakeSubscriberServer, type FakeMessage } from "@eventlogger/gcp/pubsub/testing/fakeSubscriberServer";
import { waitUntil } from "@eventlogger/process/wait";
import { SourceReader, type ReaderBatch } from "./sourceReader";

const HOUR = 3_600_000;
/** Data of a full replay message: four of them are the budget of the first round. */
const FULL = Buffer.alloc(65_536);

describe("SourceReader", () => {
  const emulator = process.env["PUBSUB_EMULATOR_HOST"];
  let server: FakeSubscriberServer;
  let reader: SourceReader;
  let attempts = 0;
  let next = 0;

  beforeEach(async () => {
    server = await FakeSubscriberServer.start();
    process.env["PUBSUB_EMULATOR_HOST"] = server.host;
    reader = new SourceReader({
      project: "demo",
      subscription: `live-${++attempts}`,
      replaySubscription: `replay-${attempts}`,
      dataset: "analytics",
      timestampAttribute: "event_time",
      maxOutstanding: 100_000,
      maxOutstandingBytes: 2 ** 28,
      ackDeadlineSec: 60,
      checkpointIntervalMs: 3000,
      selfCheckpointMs: 500,
      watermark: { slackMs: 1000, idleMs: 100, ignoreOlderMs: 24 * HOUR },
    });
  });
  afterEach(async () => {
    await reader.close();
    server.stop();
    if (emulator === undefined) delete process.env["PUBSUB_EMULATOR_HOST"];
    else process.env["PUBSUB_EMULATOR_HOST"] = emulator;
  });

  const messages = (n: number, name: string, fields: Partial<FakeMessage> = {}): FakeMessage[] =>
    Array.from({ length: n }, () => ({
      id: `${name}${next++}`,
      data: Buffer.from("{}"),
      attributes: {},
      publishTime: Date.now(),
      ...fields,
    }));

  async function live(n: number, fields?: Partial<FakeMessage>): Promise<void> {
    const before = reader.live.buffered;
    server.deliver(messages(n, "live", fields), `live-${attempts}`);
    await waitUntil("live messages", () => reader.live.buffered === before + n);
  }
  async function replay(n: number, fields: Partial<FakeMessage> = {}): Promise<void> {
    const before = reader.replay?.buffered ?? 0;
    for (let i = 0; i < n; i++) {
      server.deliver(
        messages(1, "replay", { data: FULL, attributes: { replay: "1" }, ...fields }),
        `replay-${attempts}`,
      );
    }
    await waitUntil("replay messages", () => reader.replay?.buffered === before + n);
  }

  /** Takes until nothing may be taken. @returns `live` and `replay` with the number of messages that follow each other */
  function takeAll(batch: ReaderBatch): (readonly [string, number])[] {
    const runs: [string, number][] = [];
    for (let taken = reader.take(batch, 0); taken; taken = reader.take(batch, 0)) {
      const kind = taken.message.replay === undefined ? "live" : "replay";
      const last = runs.at(-1);
      if (last?.[0] === kind) last[1]++;
      else runs.push([kind, 1]);
    }
    return runs;
  }

  it("takes live messages first, and then as many replay messages as the round may have", async () => {
    await replay(10);
    await live(3);
    const batch = reader.startBatch();
    assert.deepEqual(takeAll(batch), [
      ["live", 3],
      ["replay", 8],
    ]);
    assert.equal(reader.isOutOfBudget, true);
    await live(2);
    assert.deepEqual(takeAll(batch), [["live", 2]]);
    const second = reader.startBatch();
    const [[kind, n] = ["", 0]] = takeAll(second);
    assert.equal(kind, "replay");
    assert(n >= 2, "the budget of the second round is at least half of the first");
    for (const one of [batch, second]) reader.nack(one);
  });

  it("a replay gets its turn under live traffic that never ends", async () => {
    await replay(3);
    await live(10_100);
    const batch = reader.startBatch();
    assert.deepEqual(takeAll(batch), [
      ["live", 5000],
      ["replay", 1],
      ["live", 5000],
      ["replay", 1],
      ["live", 100],
      ["replay", 1],
    ]);
    reader.nack(batch);
  });

  it("replay messages carry their attribute and their publish time, and do not move the watermark", async () => {
    const now = Date.now();
    await live(1, { publishTime: now, attributes: { event_time: String(now - 5000) } });
    const watermark = reader.live.watermark();
    assert.equal(watermark, now - 6000);
    await replay(1, { publishTime: now - 5 * HOUR, attributes: { replay: "7", event_time: "1" } });
    await replay(1, { publishTime: now + 100, attributes: {} });
    assert.equal(reader.live.watermark(), watermark);
    const batch = reader.startBatch();
    const taken = [reader.take(batch, 5), reader.take(batch, 5), reader.take(batch, 5)];
    assert.deepEqual(
      taken.map((one) => [one?.message.replay, one?.timestamp, one?.message.watermark]),
      [
        [undefined, now - 5000, 5],
        ["7", now - 5 * HOUR, 5],
        ["", now + 100, 5],
      ],
    );
    reader.nack(batch);
  });

  it("the messages of both subscriptions are acknowledged by the same checkpoints, and nacked together", async () => {
    await live(1);
    await replay(1);
    const batch = reader.startBatch();
    takeAll(batch);
    reader.finalized(batch, 1);
    reader.finalized(reader.startBatch(), 2);
    reader.finalized(reader.startBatch(), 3);
    await waitUntil("the acknowledgements", () => server.acknowledged.length === 2);
    await live(1);
    await replay(1);
    const failed = reader.startBatch();
    takeAll(failed);
    reader.nack(failed);
    await waitUntil("the nacks", () => server.nacked.length === 2);
  });

  it("replay messages for another dataset on the same topic are acknowledged and not emitted", async () => {
    await replay(1, { attributes: { replay: "1", dataset: "other" } });
    await replay(1, { attributes: { replay: "1", dataset: "analytics" } });
    await replay(1, { attributes: { replay: "1", dataset: "other" } });
    const batch = reader.startBatch();
    assert.deepEqual(takeAll(batch), [["replay", 1]]);
    reader.finalized(batch, 1);
    reader.finalized(reader.startBatch(), 2);
    reader.finalized(reader.startBatch(), 3);
    await waitUntil("the acknowledgements", () => server.acknowledged.length === 3);
  });

  it("a wait ends when a message of either subscription arrives", async () => {
    for (const deliver of [() => live(1), () => replay(1)]) {
      const batch = reader.startBatch();
      const waiting = reader.wait(600_000);
      await deliver();
      await waiting;
      assert.equal(takeAll(batch).length, 1);
      reader.nack(batch);
    }
  });
});
