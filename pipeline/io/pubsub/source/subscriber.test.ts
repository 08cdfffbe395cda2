import assert from "node:assert/strict";
import { FakeSubscriberServer, type FakeMessage } from "@eventlogger/gcp/pubsub/testing/fakeSubscriberServer";
import { waitUntil } from "@eventlogger/process/wait";
import { Subscriber, type Batch, type SubscriberOptions } from "./subscriber";

const HOUR = 3_600_000;

/** The clocks of this process, with steps. Timers do not follow them. */
class SteppedClocks {
  private readonly now = Date.now;
  private readonly monotonic = performance.now.bind(performance);

  /** Sets the clock of the host ahead or back; ms from the right time. */
  step(ms: number): void {
    Date.now = () => this.now() + ms;
  }
  /** Lets time pass on the monotonic clock; ms. */
  pass(ms: number): void {
    performance.now = () => this.monotonic() + ms;
  }
  restore(): void {
    Date.now = this.now;
    performance.now = this.monotonic;
  }
}

describe("Subscriber", () => {
  const emulator = process.env["PUBSUB_EMULATOR_HOST"];
  const clock = new SteppedClocks();
  let server: FakeSubscriberServer;
  let subscriber: Subscriber;
  let next = 0;

  beforeEach(async () => {
    server = await FakeSubscriberServer.start();
    process.env["PUBSUB_EMULATOR_HOST"] = server.host;
  });
  afterEach(async () => {
    clock.restore();
    server.thaw();
    await subscriber.close();
    server.stop();
    if (emulator === undefined) delete process.env["PUBSUB_EMULATOR_HOST"];
    else process.env["PUBSUB_EMULATOR_HOST"] = emulator;
  });

  function start(options: Partial<SubscriberOptions> = {}): void {
    subscriber = new Subscriber({
      project: "demo",
      subscription: "events",
      timestampAttribute: "event_time",
      maxOutstanding: 100_000,
      maxOutstandingBytes: 2 ** 28,
      ackDeadlineSec: 60,
      checkpointIntervalMs: 3000,
      watermark: { slackMs: 1000, idleMs: 100, ignoreOlderMs: 24 * HOUR },
      ...options,
    });
  }

  const messages = (n: number, data: Uint8Array = Buffer.from("{}"), publishTime = Date.now()): FakeMessage[] =>
    Array.from({ length: n }, () => ({ id: `m${next++}`, data, attributes: {}, publishTime }));

  async function receive(n: number, data = Buffer.from("{}")): Promise<string[]> {
    const sent = messages(n, data);
    const before = subscriber.buffered;
    server.deliver(sent);
    await waitUntil("the messages to arrive", () => subscriber.buffered === before + n);
    return sent.map(({ id }) => id);
  }

  /** A batch with all buffered messages. */
  function takeAll(): Batch {
    const batch = subscriber.startBatch();
    while (subscriber.take(batch));
    return batch;
  }

  const untilAcknowledged = (ids: readonly string[]): Promise<unknown> =>
    waitUntil("the acknowledgements", () => server.acknowledged.length >= ids.length);

  it("leases are not extended without a pause after the clock was stepped ahead while an extension was in flight", async () => {
    start();
    server.isFrozen = true;
    const ids = await receive(500);
    await waitUntil("the receipts", () => server.extensions === ids.length);
    clock.step(30 * HOUR); // to the client it looks as if the answers took 30 hours
    server.thaw();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await receive(1); // more receipts follow each other after the slow ones
    await new Promise((resolve) => setTimeout(resolve, 2000));
    assert.equal(server.extensions, ids.length + 1, "only the receipts: the first extension is due after 10 s");
  });

  it("steps of the clock, back or ahead, neither stop nor hasten acknowledgements", async () => {
    start();
    const ids = await receive(10);
    clock.step(-HOUR);
    subscriber.finalized(takeAll(), 1);
    clock.step(30 * HOUR);
    subscriber.finalized(takeAll(), 1);
    subscriber.finalized(takeAll(), 2);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.deepEqual(server.acknowledged, [], "no two later checkpoints yet");
    clock.step(-HOUR);
    subscriber.finalized(takeAll(), 3);
    await untilAcknowledged(ids);
    assert.deepEqual(server.acknowledged.sort(), ids.sort());
  });

  it("steps of the clock, back or ahead, do not move the watermark", async () => {
    start();
    const publishedAt = Date.now();
    server.deliver(messages(1, Buffer.from("{}"), publishedAt));
    await waitUntil("the message", () => subscriber.buffered === 1);
    const arrivedBy = performance.now();
    takeAll();
    for (const step of [-3 * HOUR, 30 * HOUR, 0]) {
      clock.step(step);
      await new Promise((resolve) => setTimeout(resolve, 250)); // idle: the watermark follows the monotonic clock
      const watermark = subscriber.watermark();
      assert(watermark > publishedAt - 1500, "it advances");
      const longestSince = performance.now() - arrivedBy + 10_000; // from its publication, within the limit of the wait
      assert(watermark <= publishedAt + longestSince - 1000, "it is not ahead of Google's clock");
    }
  });

  it("a message in flight keeps its lease when the clock is stepped ahead by more than an hour", async () => {
    start({ ackDeadlineSec: 10 });
    await receive(1);
    clock.step(30 * HOUR);
    // The next extension is due within a third of the lease of 10 s.
    await waitUntil("an extension after the receipt", () => server.extensions >= 2);
  });

  it("the pull pauses when the data of unacknowledged messages exceeds the limit in bytes, and continues after", async () => {
    start({ maxOutstandingBytes: 1_000_000 });
    const data = Buffer.alloc(100_000);
    const all = 200;
    for (let i = 0; i < all; i++) server.deliver(messages(1, data));
    await waitUntil("the first messages", () => subscriber.buffered >= 10);
    await new Promise((resolve) => setTimeout(resolve, 500));
    // What the windows of HTTP/2 held when the pull paused may still arrive.
    assert(subscriber.buffered < all / 2, `${subscriber.buffered} messages are in memory`);
    let taken = 0;
    let checkpoint = 1;
    const acknowledgeMore = (): boolean => {
      const batch = takeAll();
      taken += batch.messages.length;
      subscriber.finalized(batch, checkpoint++);
      return taken === all;
    };
    await waitUntil("all messages", acknowledgeMore);
  });

  it("a pull that the server ends while it is paused continues afterwards", async () => {
    start({ maxOutstandingBytes: 1_000_000 });
    server.deliver(messages(10, Buffer.alloc(100_000)));
    await waitUntil("the first messages", () => subscriber.buffered === 10);
    server.endPulls();
    server.deliver(messages(20, Buffer.alloc(100_000))); // to the next pull
    let taken = 0;
    let checkpoint = 1;
    const acknowledgeMore = (): boolean => {
      const batch = takeAll();
      taken += batch.messages.length;
      subscriber.finalized(batch, checkpoint++);
      return taken === 30;
    };
    await waitUntil("the messages of the next pull", acknowledgeMore);
  });

  it("the pull pauses while a received message waits for more than ten seconds to be taken", async () => {
    start();
    await receive(2);
    clock.pass(11_000);
    await receive(1); // this one pauses the pull
    server.deliver(messages(1));
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(subscriber.buffered, 3);
    takeAll();
    await waitUntil("the next message", () => subscriber.buffered === 1);
  });

  it("no message is taken while the runner completes no checkpoint for 30 seconds, until it completes checkpoints again", async () => {
    start();
    await receive(1);
    const first = takeAll();
    assert.equal(first.messages.length, 1);
    await receive(1);
    clock.pass(31_000);
    assert.equal(takeAll().messages.length, 0);
    assert.equal(subscriber.isReady, false);
    subscriber.finalized(first, 1);
    subscriber.finalized(subscriber.startBatch(), 2);
    assert.equal(takeAll().messages.length, 0, "the first message is not acknowledged yet");
    assert.equal(subscriber.isReady, false);
    subscriber.finalized(subscriber.startBatch(), 3);
    assert.equal(subscriber.isReady, true);
    assert.equal(takeAll().messages.length, 1);
  });

  it("a runner whose checkpoints take a minute gets messages for four minutes without an acknowledgement", async () => {
    start();
    clock.pass(60_000);
    subscriber.finalized(subscriber.startBatch(), 1);
    await receive(1);
    takeAll();
    await receive(1);
    clock.pass(60_000 + 230_000);
    assert.equal(takeAll().messages.length, 1);
    await receive(1);
    clock.pass(60_000 + 250_000);
    assert.equal(takeAll().messages.length, 0);
  });

  it("a batch that failed, and at the end of the job attempt everything, is nacked", async () => {
    start();
    const failed = await receive(2);
    subscriber.nack(takeAll());
    const waiting = await receive(3);
    subscriber.finalized(takeAll(), 1);
    const buffered = await receive(4);
    assert.equal([...subscriber.heldPublishTimes()].length, 7);
    await subscriber.close();
    assert.equal([...subscriber.heldPublishTimes()].length, 0);
    await waitUntil("the nacks", () => server.nacked.length === 9);
    assert.deepEqual(server.nacked, [...failed, ...waiting, ...buffered]);
    assert.deepEqual(server.acknowledged, []);
  });

  it("a runner that keeps no record of its checkpoints is an error", async () => {
    start();
    subscriber.finalized(subscriber.startBatch(), undefined);
    assert.match(subscriber.error?.message ?? "", /keeps no record of its checkpoints/);
  });
});
