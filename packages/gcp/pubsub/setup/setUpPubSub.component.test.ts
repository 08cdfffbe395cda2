import assert from "node:assert/strict";
import { once } from "node:events";
import type { Message } from "@google-cloud/pubsub";
import fc from "fast-check";
import { eventAvroSchema } from "@eventlogger/events/avroSchema";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { validInputs } from "@eventlogger/events/testing/validInputs";
import { validateEvent } from "@eventlogger/events/validation";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import type { SetupStep } from "../../setup/setupStep";
import { setUpPubSub, type PubSubSetup } from "./setUpPubSub";
import { usePubSubEmulator } from "../testing/usePubSubEmulator";

describe("setUpPubSub", () => {
  const emulator = usePubSubEmulator();

  const names = {
    topic: "events",
    subscription: "events-pipeline",
    schema: "events",
    deadLetterTopic: "events-dead-letters",
  };
  const summary = async (options: PubSubSetup): Promise<string[]> =>
    (await setUpPubSub(emulator.pubsub, options)).map(({ kind, name, outcome }) => `${kind} ${name} ${outcome}`);
  const step = async (kind: string, name: string, options: PubSubSetup): Promise<SetupStep | undefined> =>
    (await setUpPubSub(emulator.pubsub, options)).find((one) => one.kind === kind && one.name === name);

  it("creates all resources, and reports them as existing the second time", async () => {
    const things = [
      "schema events",
      "topic events",
      "topic events-dead-letters",
      "subscription events-dead-letters",
      "subscription events-pipeline",
      "topic events-replay-g1",
      "subscription events-pipeline-replay-g1",
    ];
    assert.deepEqual(
      await summary(names),
      things.map((thing) => `${thing} created`),
    );
    assert.deepEqual(
      await setUpPubSub(emulator.pubsub, names),
      things.map((thing) => {
        const [kind, name] = thing.split(" ");
        return { kind, name, outcome: "exists" };
      }),
    );
    const [metadata] = await emulator.pubsub.subscription("events-pipeline").getMetadata();
    assert.equal(metadata.ackDeadlineSeconds, 10);
    assert.equal(metadata.expirationPolicy?.ttl ?? null, null);
    assert.equal(metadata.enableMessageOrdering, false);
    assert.equal(Number(metadata.messageRetentionDuration?.seconds), 7 * 86_400);
    assert.deepEqual(metadata.deadLetterPolicy, {
      deadLetterTopic: "projects/demo-project/topics/events-dead-letters",
      maxDeliveryAttempts: 100,
    });
    const [deadLetters] = await emulator.pubsub.subscription("events-dead-letters").getMetadata();
    assert.equal(Number(deadLetters.messageRetentionDuration?.seconds), 7 * 86_400);
    assert.equal(deadLetters.expirationPolicy?.ttl ?? null, null);
  });

  it("creates a topic that accepts the message of every event and rejects other messages", async () => {
    await setUpPubSub(emulator.pubsub, names);
    const topic = emulator.pubsub.topic("events");
    const now = Date.now();
    const events = fc.sample(validInputs(now), 300).map((input) => {
      const validated = validateEvent(input, now);
      return validated.ok ? validated.event : assert.fail(JSON.stringify(validated.errors));
    });
    await Promise.all(events.map((event) => topic.publishMessage(encodeMessage(event))));
    const good = JSON.parse(encodeMessage(events[0] as AnalyticsEvent).data.toString()) as object;
    for (const wrong of ["hello", "{}", { ...good, type: "other" }, { ...good, user_id: "u" }, { ...good, page: 5 }]) {
      const data = Buffer.from(typeof wrong === "string" ? wrong : JSON.stringify(wrong));
      await assert.rejects(topic.publishMessage({ data }), { code: 3 }, data.toString());
    }
  });

  it("adds a revision to the schema of an earlier release, and keeps the schema of a later one", async () => {
    const client = await emulator.pubsub.getSchemaClient();
    const name = "projects/demo-project/schemas/evolving";
    const added = ["original_event_time", "anonymous_id", "app", "platform", "referrer", "browser", "os", "is_bot"];
    const fields = eventAvroSchema.fields.filter(({ name }) => !added.includes(name));
    const earlier = JSON.stringify({ ...eventAvroSchema, fields });
    const later = JSON.stringify({
      ...eventAvroSchema,
      fields: [...eventAvroSchema.fields, { name: "device", type: ["null", "string"], default: null }],
    });
    await client.createSchema({
      parent: "projects/demo-project",
      schemaId: "evolving",
      schema: { name, type: "AVRO", definition: earlier },
    });
    const options = { topic: "evolving", subscription: "evolving", schema: "evolving" };
    const updated = await step("schema", "evolving", options);
    assert.equal(updated?.outcome, "updated");
    assert.match(updated?.detail ?? "", /^new revision \w+$/);
    assert.equal((await step("schema", "evolving", options))?.outcome, "exists");
    await client.commitSchema({ name, schema: { name, type: "AVRO", definition: later } });
    assert.equal((await step("schema", "evolving", options))?.outcome, "exists");
    const [revisions] = await client.listSchemaRevisions({ name });
    assert.equal(revisions.length, 3);
    const event = validateEvent({ type: "event", session_id: "s", event_name: "n", event_time: 1 }, Date.now());
    assert.ok(event.ok);
    const { data } = encodeMessage(event.event);
    const topic = emulator.pubsub.topic("evolving");
    await topic.publishMessage({ data });
    const message = JSON.parse(data.toString()) as object;
    const earlierMessage = Object.fromEntries(Object.entries(message).filter(([name]) => !added.includes(name)));
    // A number with a fraction, as Avro wants a double.
    const text = JSON.stringify(earlierMessage).replace('"event_time":1', '"event_time":1.000');
    await topic.publishMessage({ data: Buffer.from(text) });
  });

  it("reports that a topic of an earlier release has no schema, and binds it with updateExisting", async () => {
    await setUpPubSub(emulator.pubsub, { topic: "unbound", subscription: "unbound" });
    const options = { ...names, topic: "unbound", subscription: "unbound" };
    const left = await step("topic", "unbound", options);
    assert.deepEqual(left, {
      kind: "topic",
      name: "unbound",
      outcome: "exists",
      differences: ["no schema, accepts any message"],
    });
    await emulator.pubsub.topic("unbound").publishMessage({ data: Buffer.from("anything") });
    const updated = await step("topic", "unbound", { ...options, updateExisting: true });
    assert.deepEqual([updated?.outcome, updated?.detail], ["updated", "bound to schema events"]);
    await assert.rejects(emulator.pubsub.topic("unbound").publishMessage({ data: Buffer.from("anything") }), {
      code: 3,
    });
    assert.deepEqual(await step("topic", "unbound", options), { kind: "topic", name: "unbound", outcome: "exists" });
  });

  it("reports the differences of a subscription of an earlier release, and updates it with updateExisting", async () => {
    await emulator.pubsub.createTopic("plain");
    await emulator.pubsub.topic("plain").createSubscription("plain", { messageRetentionDuration: { seconds: 3600 } });
    const options = { topic: "plain", subscription: "plain", deadLetterTopic: "plain-dead-letters" };
    const differences = [
      "retains messages for only 1h",
      "no dead-letter topic",
      "retries deliveries after at most 0 s",
    ];
    assert.deepEqual((await step("subscription", "plain", options))?.differences, differences);
    const [before] = await emulator.pubsub.subscription("plain").getMetadata();
    assert.equal(before.deadLetterPolicy, null);
    const updated = await step("subscription", "plain", { ...options, updateExisting: true });
    assert.equal(updated?.detail, differences.map((difference) => `was: ${difference}`).join(", "));
    assert.equal((await step("subscription", "plain", options))?.differences, undefined);
    const fewer = { ...options, maxDeliveryAttempts: 5 };
    assert.deepEqual((await step("subscription", "plain", fewer))?.differences, [
      "sends dead letters after 100 deliveries",
    ]);
  });

  it("moves a message to the dead-letter topic after too many deliveries", async () => {
    const options = { topic: "poison", subscription: "poison", deadLetterTopic: "poison-kept", maxDeliveryAttempts: 5 };
    await setUpPubSub(emulator.pubsub, options);
    // Without the retry policy, whose pauses would make the test take hours.
    await emulator.pubsub.subscription("poison").setMetadata({ retryPolicy: null });
    const [subscription, kept] = [emulator.pubsub.subscription("poison"), emulator.pubsub.subscription("poison-kept")];
    subscription.on("message", (message) => message.nack());
    const received = once(kept, "message") as Promise<[Message]>;
    await emulator.pubsub.topic("poison").publishMessage({ data: Buffer.from("x"), attributes: { event_id: "e" } });
    const [message] = await received;
    message.ack();
    assert.equal(message.attributes.event_id, "e");
    assert.equal(message.data.toString(), "x");
    await Promise.all([subscription.close(), kept.close()]);
  });

  it("can run twice at the same time", async () => {
    const options = { topic: "twice", subscription: "twice", schema: "twice", deadLetterTopic: "twice-dead-letters" };
    const both = await Promise.all([summary(options), summary(options)]);
    assert.deepEqual(
      both.map((steps) => steps.length),
      [7, 7],
    );
  });

  it("rejects a subscription of another topic", async () => {
    await setUpPubSub(emulator.pubsub, { topic: "other", subscription: "taken" });
    await assert.rejects(
      setUpPubSub(emulator.pubsub, { topic: "events", subscription: "taken" }),
      /Subscription taken .*topics\/other, not to .*topics\/events.*--subscription/,
    );
  });

  it("rejects a schema that is not a schema of events", async () => {
    const client = await emulator.pubsub.getSchemaClient();
    const definition = JSON.stringify({ type: "record", name: "Other", fields: [{ name: "x", type: "string" }] });
    const schema = { type: "AVRO", definition } as const;
    await client.createSchema({ parent: "projects/demo-project", schemaId: "other", schema });
    await assert.rejects(
      setUpPubSub(emulator.pubsub, { topic: "events", subscription: "events-pipeline", schema: "other" }),
      /Schema other exists and is not a schema of events.*--schema/,
    );
  });
});
