import "@eventlogger/beam/sdk";
import assert from "node:assert/strict";
import { FakeSubscriberServer, type FakeMessage } from "@eventlogger/gcp/pubsub/testing/fakeSubscriberServer";
import type { PubSubMessage } from "../message";
import { closeReaders, PubSubSource, type SourceRestriction } from "./readFromPubSub";

const HOUR = 3_600_000;
type Finalizer = Parameters<Parameters<PubSubSource["process"]>[1]["onFinalize"]>[0];

describe("PubSubSource", () => {
  const emulator = process.env["PUBSUB_EMULATOR_HOST"];
  let server: FakeSubscriberServer;
  let source: PubSubSource;
  let restriction: SourceRestriction;
  let finalizers: Finalizer[];
  let attempts = 0;

  /** A new subscription, so that each test has a subscriber of its own. */
  beforeEach(async () => {
    server = await FakeSubscriberServer.start();
    process.env["PUBSUB_EMULATOR_HOST"] = server.host;
    source = new PubSubSource({
      project: "demo",
      subscription: `events-${++attempts}`,
      replaySubscription: undefined,
      dataset: "analytics",
      timestampAttribute: "event_time",
      maxOutstanding: 1000,
      maxOutstandingBytes: 1e8,
      ackDeadlineSec: 60,
      checkpointIntervalMs: 3000,
      watermark: { slackMs: 1000, idleMs: 100, ignoreOlderMs: 24 * HOUR },
      selfCheckpointMs: 100,
      idleSelfCheckpointMs: 5000,
      maxPerSelfCheckpoint: 100,
    });
    restriction = source.restrictions()[0] as SourceRestriction;
    finalizers = [];
  });
  afterEach(async () => {
    for (const finalizer of finalizers) finalizer.abort();
    await closeReaders();
    server.stop();
    if (emulator === undefined) delete process.env["PUBSUB_EMULATOR_HOST"];
    else process.env["PUBSUB_EMULATOR_HOST"] = emulator;
  });

  /** Reads until the next self-checkpoint. */
  async function read(): Promise<PubSubMessage[]> {
    const emitted: PubSubMessage[] = [];
    const residual = await source.process(restriction, {
      emit: (message) => void emitted.push(message),
      onFinalize: (finalizer) => void finalizers.push(finalizer),
      aborted: undefined,
    });
    assert.equal(residual.watermarkMs, residual.restriction.watermarkMs, "the watermark is stored with the residual");
    restriction = residual.restriction;
    return emitted;
  }

  const message = (id: string, publishTime: number): FakeMessage => ({
    ...{ id, publishTime },
    data: Buffer.from("{}"),
    attributes: { event_time: String(publishTime) },
  });

  it("a message carries the watermark that was reported before it, also after the worker was replaced", async () => {
    const t0 = Date.now();
    server.deliver([message("a", t0)]);
    assert.deepEqual(
      (await read()).map(({ watermark }) => watermark),
      [0],
    );
    assert.equal(restriction.watermarkMs, t0 - 1000);
    server.deliver([message("b", t0 + 1000)]);
    assert.deepEqual(
      (await read()).map(({ watermark }) => watermark),
      [t0 - 1000],
    );
    // The state of a job whose watermark was ahead, restored by a worker that has received nothing.
    restriction = { watermarkMs: t0 + HOUR };
    server.deliver([message("c", t0 + 2000)]);
    assert.deepEqual(
      (await read()).map(({ watermark }) => watermark),
      [t0 + HOUR],
    );
    assert.equal(restriction.watermarkMs, t0 + HOUR, "it does not go back");
  });

  it("a process reads for one of its restrictions at a time, and the others report its watermark and wait", async () => {
    const restrictions = source.restrictions();
    assert.equal(restrictions.length, 16);
    const t0 = Date.now();
    const emitted: PubSubMessage[][] = restrictions.map(() => []);
    const reads = restrictions.map((one, i) =>
      source.process(one, {
        emit: (message) => void emitted[i]?.push(message),
        onFinalize: (finalizer) => void finalizers.push(finalizer),
        aborted: undefined,
      }),
    );
    const waiting = await Promise.all(reads.slice(1)); // does not wait for a message
    assert.deepEqual(new Set(waiting.map(({ resumeDelayMs }) => resumeDelayMs)), new Set([1000]));
    server.deliver([message("a", t0)]);
    const { watermarkMs, resumeDelayMs } = (await reads[0]) as Awaited<(typeof reads)[0]>;
    assert.deepEqual(
      emitted.map((messages) => messages.map(({ messageId }) => messageId)),
      [["a"], ...waiting.map(() => [])],
    );
    assert.deepEqual([watermarkMs, resumeDelayMs], [t0 - 1000, 0]);
    // Any other restriction may read next.
    restriction = waiting[7]?.restriction as SourceRestriction;
    server.deliver([message("b", t0 + 5)]);
    assert.deepEqual(
      (await read()).map(({ messageId }) => messageId),
      ["b"],
    );
  });

  it("state of a release that stored no watermark is restored as if the watermark were at the current time", async () => {
    restriction = {};
    const before = Date.now();
    server.deliver([message("a", before)]);
    const [{ watermark = 0 } = {}] = await read();
    assert(watermark >= before && watermark <= Date.now());
  });
});
