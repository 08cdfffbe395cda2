import { createHash } from "node:crypto";
import type { Long } from "protobufjs";
import protobufjs = require("protobufjs");
import type { PubSubMessage } from "./message";

/** What we use of `google.pubsub.v1.PubsubMessage`; its other fields are passed over. */
const { root } = protobufjs.parse(`
  syntax = "proto3";
  message PubsubMessage {
    bytes data = 1;
    string message_id = 3;
    Timestamp publish_time = 4;
  }
  message Timestamp {
    int64 seconds = 1;
    int32 nanos = 2;
  }
`);
const Proto = root.lookupType("PubsubMessage");

interface Decoded {
  readonly data: Uint8Array;
  readonly messageId: string;
  readonly publishTime: { readonly seconds: Long | number; readonly nanos: number } | null;
}

/**
 * The message in a serialised `google.pubsub.v1.PubsubMessage`. What a source left out is filled in: a message without
 * an id gets one from its data, so that a redelivery has the same, and one without a publish time was published now.
 * `data` is a part of `bytes`, not a copy.
 *
 * @throws Error when the bytes are no such message
 */
export function decodePubsubMessage(bytes: Uint8Array): PubSubMessage {
  const { data, messageId, publishTime } = Proto.decode(bytes) as unknown as Decoded;
  return {
    data,
    messageId: messageId || `sha256-${createHash("sha256").update(data).digest("base64url")}`,
    publishTime: publishTime ? Number(publishTime.seconds) * 1000 + Math.floor(publishTime.nanos / 1e6) : Date.now(),
  };
}
