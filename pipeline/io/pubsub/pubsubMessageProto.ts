import { createHash } from "node:crypto";
import type { Long } from "protobufjs";
import protobufjs from "protobufjs";
import { isForDataset, REPLAY_ATTRIBUTE } from "@eventlogger/events/replayMessage";
import type { PubSubMessage } from "./message";

/** The fields of `google.pubsub.v1.PubsubMessage` that the pipeline uses. Decoding skips the others. */
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

/** The attributes of the same message. Only replay messages are read by them. */
const Attributes = protobufjs
  .parse('syntax = "proto3"; message PubsubMessage { map<string, string> attributes = 2; }')
  .root.lookupType("PubsubMessage");

interface Decoded {
  readonly data: Uint8Array;
  readonly messageId: string;
  readonly publishTime: { readonly seconds: Long | number; readonly nanos: number } | null;
}

/**
 * Decodes a serialised `google.pubsub.v1.PubsubMessage` and fills in fields that the source omitted. A missing id becomes a
 * hash of the data, so that a redelivery gets the same id. A missing publish time becomes the current time. `data` is a view
 * of `bytes`, not a copy.
 *
 * @throws Error when the bytes are not such a message
 */
export function decodePubsubMessage(bytes: Uint8Array): PubSubMessage {
  const { data, messageId, publishTime } = Proto.decode(bytes) as unknown as Decoded;
  return {
    data,
    messageId: messageId || `sha256-${createHash("sha256").update(data).digest("base64url")}`,
    publishTime: publishTime ? Number(publishTime.seconds) * 1000 + Math.floor(publishTime.nanos / 1e6) : Date.now(),
  };
}

/**
 * Decodes a serialised message of the replay subscription; see {@link decodePubsubMessage}.
 * @param dataset the dataset of the pipeline
 * @returns undefined when the message is for another dataset
 * @throws Error when the bytes are not such a message
 */
export function decodeReplayMessage(bytes: Uint8Array, dataset: string): PubSubMessage | undefined {
  const { attributes } = Attributes.decode(bytes) as unknown as { attributes: Readonly<Record<string, string>> };
  if (!isForDataset(attributes, dataset)) return undefined;
  return { ...decodePubsubMessage(bytes), replay: attributes[REPLAY_ATTRIBUTE] ?? "" };
}
