import assert from "node:assert/strict";
import type { Message } from "@google-cloud/pubsub";
import { waitUntil } from "@eventlogger/process/wait";
import { forwardBacklog } from "./forwardBacklog";
import { copySubscription, deleteSubscription } from "./setup/copySubscription";
import { setUpPubSub } from "./setup/setUpPubSub";
import { usePubSubEmulator } from "./testing/usePubSubEmulator";

describe("The subscriptions of a rebuild", () => {
  const signal = new AbortController().signal;
  const emulator = usePubSubEmulator();

  it("copySubscription creates a subscription with the settings of another one, once", async () => {
    await setUpPubSub(emulator.pubsub, {
      topic: "copied",
      subscription: "original",
      deadLetterTopic: "copied-dead-letters",
    });
    assert.equal(await copySubscription(emulator.pubsub, "copy", "original"), "created");
    assert.equal(await copySubscription(emulator.pubsub, "copy", "original"), "exists");
    const settings = async (name: string): Promise<object> => {
      const [metadata] = await emulator.pubsub.subscription(name).getMetadata();
      return { ...metadata, name: "" };
    };
    assert.deepEqual(await settings("copy"), await settings("original"));
    await emulator.pubsub.createTopic("other-topic");
    await emulator.pubsub.topic("other-topic").createSubscription("of-other-topic");
    await assert.rejects(
      copySubscription(emulator.pubsub, "of-other-topic", "original"),
      /exists and belongs to .*other-topic/,
    );
    await assert.rejects(copySubscription(emulator.pubsub, "another", "no-such-one"), /no-such-one does not exist/);
    await deleteSubscription(emulator.pubsub, "copy");
    await deleteSubscription(emulator.pubsub, "copy");
  });

  it("forwardBacklog publishes old messages of a subscription again with their attributes, and acknowledges all", async () => {
    await emulator.pubsub.createTopic("forwarded");
    const topic = emulator.pubsub.topic("forwarded");
    const [old] = await topic.createSubscription("old-reader");
    await topic.publishMessage({ data: Buffer.from("before"), attributes: { event_id: "1" } });
    const arrived = new Promise<number>((resolve) => {
      old.once("message", (message: Message) => {
        message.nack();
        resolve(message.publishTime.getTime());
      });
    });
    const untilMs = await arrived;
    await old.close();
    await waitUntil("a later time", () => Date.now() > untilMs + 1, { timeoutMs: 1000, intervalMs: 2 });
    const [next] = await topic.createSubscription("new-reader");
    await topic.publishMessage({ data: Buffer.from("after") });
    // Events keep coming while the old messages are forwarded.
    const traffic = setInterval(() => void topic.publishMessage({ data: Buffer.from("after") }), 100);
    try {
      assert.equal(await forwardBacklog(emulator.pubsub, "old-reader", { untilMs, quietMs: 1000, signal }), 1);
    } finally {
      clearInterval(traffic);
    }
    const received: string[] = [];
    next.on("message", (message: Message) => {
      received.push(`${message.data.toString()} ${message.attributes["event_id"]}`);
      message.ack();
    });
    await waitUntil("the forwarded message", () => received.includes("before 1"));
    await next.close();
    assert.equal(received.filter((message) => message !== "after undefined").length, 1);
    // Of the forwarded one, the old subscription gets the copy only.
    assert.equal(await forwardBacklog(emulator.pubsub, "old-reader", { untilMs, quietMs: 1000, signal }), 0);
    assert.equal(await forwardBacklog(emulator.pubsub, "no-such-reader", { untilMs, quietMs: 1000, signal }), 0);
  });
});
