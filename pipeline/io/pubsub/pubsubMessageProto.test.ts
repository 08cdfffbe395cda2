import assert from "node:assert/strict";
import fc from "fast-check";
import { google } from "@google-cloud/pubsub/build/protos/protos";
import { decodePubsubMessage, decodeReplayMessage } from "./pubsubMessageProto";

/** Google's own implementation. */
const { PubsubMessage } = google.pubsub.v1;

const messages = fc.record({
  data: fc.uint8Array({ maxLength: 300 }),
  attributes: fc.dictionary(fc.string(), fc.string(), { maxKeys: 5 }),
  messageId: fc.stringMatching(/^[0-9]{1,20}$/),
  publishTimeMs: fc.integer({ min: 0, max: 4e12 }),
  orderingKey: fc.string(),
});

describe("PubsubMessage proto", () => {
  it("decodePubsubMessage returns what Google's encoder encoded", () => {
    fc.assert(
      fc.property(messages, ({ data, attributes, messageId, publishTimeMs, orderingKey }) => {
        const publishTime = { seconds: Math.floor(publishTimeMs / 1000), nanos: (publishTimeMs % 1000) * 1e6 };
        const bytes = PubsubMessage.encode({ data, attributes, messageId, publishTime, orderingKey }).finish();
        const decoded = decodePubsubMessage(bytes);
        assert.deepEqual(Buffer.from(decoded.data), Buffer.from(data));
        assert.equal(decoded.messageId, messageId);
        assert.equal(decoded.publishTime, publishTimeMs);
      }),
    );
  });

  it("decodeReplayMessage also returns the attribute of replay messages, empty when the message lacks it, and nothing for another dataset", () => {
    fc.assert(
      fc.property(messages, fc.option(fc.string(), { nil: undefined }), ({ data, attributes, messageId }, replay) => {
        const others = Object.fromEntries(
          Object.entries(attributes).filter(([name]) => !/^(replay|dataset)$/.test(name)),
        );
        const given = { ...others, ...(replay !== undefined && { replay }) };
        const bytes = PubsubMessage.encode({ data, attributes: given, messageId }).finish();
        const decoded = decodeReplayMessage(bytes, "analytics") ?? assert.fail("for another dataset");
        assert.equal(decoded.replay, replay ?? "");
        assert.deepEqual(Buffer.from(decoded.data), Buffer.from(data));
        const foreign = PubsubMessage.encode({ data, attributes: { ...given, dataset: "other" }, messageId }).finish();
        assert.equal(decodeReplayMessage(foreign, "analytics"), undefined);
        assert.equal(decodePubsubMessage(bytes).replay, undefined);
      }),
    );
  });

  it("a message without id and publish time gets an id from its data alone, and the current time", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (one, other) => {
        const idOf = (data: Uint8Array, attributes = {}): string =>
          decodePubsubMessage(PubsubMessage.encode({ data, attributes }).finish()).messageId;
        assert.equal(idOf(one), idOf(one, { some: "attribute" }));
        assert.equal(idOf(one) === idOf(other), Buffer.compare(one, other) === 0);
        assert(idOf(one).length <= 128, "it can be an event id");
      }),
    );
    const before = Date.now();
    const { publishTime } = decodePubsubMessage(PubsubMessage.encode({ data: Buffer.from("{}") }).finish());
    assert(publishTime >= before && publishTime <= Date.now());
  });

  it("decodePubsubMessage rejects a truncated message", () => {
    const bytes = PubsubMessage.encode({ data: Buffer.from("some data"), messageId: "4711" }).finish();
    assert.throws(() => decodePubsubMessage(bytes.subarray(0, 5)));
  });
});
