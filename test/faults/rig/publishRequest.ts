/**
 * Reads just enough of Pub/Sub's protocol buffers to change a Publish call: PublishRequest has the topic in field 1 and the
 * messages in field 2; PublishResponse has the message ids in field 1.
 * https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1
 */

/** Bytes before a message of a gRPC call: a flag for compression, and the length. */
const PREFIX_BYTES = 5;
const LENGTH_DELIMITED = 2;

interface Field {
  readonly number: number;
  /** The field with its tag. */
  readonly bytes: Buffer;
}

function varint(buffer: Buffer, at: number): [value: number, next: number] {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = buffer[at++] as number;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
  }
}

function fields(message: Buffer): Field[] {
  const found: Field[] = [];
  for (let at = 0; at < message.length;) {
    const start = at;
    const [tag, lengthAt] = varint(message, at);
    if ((tag & 7) !== LENGTH_DELIMITED) throw new Error(`Field ${tag >> 3} is not text or a message`);
    const [length, contentAt] = varint(message, lengthAt);
    at = contentAt + length;
    found.push({ number: tag >> 3, bytes: message.subarray(start, at) });
  }
  return found;
}

/** Removes the prefix from a call with one message. */
const unframed = (data: Buffer): Buffer => data.subarray(PREFIX_BYTES);

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/**
 * Removes messages from a Publish call.
 * @param data the whole call: one message with its prefix, not compressed
 * @param isKept called with the index of each message of the call
 */
export function keepMessages(data: Buffer, isKept: (index: number) => boolean): Buffer {
  let index = 0;
  const rest = fields(unframed(data)).filter(({ number }) => number !== 2 || isKept(index++));
  return framed(Buffer.concat(rest.map(({ bytes }) => bytes)));
}
