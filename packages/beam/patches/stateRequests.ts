/**
 * Makes small state requests cheap, of which a bundle may need thousands:
 * - Many requests are sent in one write. grpc-js writes each message by itself, with promises, callbacks and a frame of HTTP/2 for
 *   each. A gRPC message is a flag (one byte), a length (four bytes) and its bytes, so several may follow each other. grpc-js adds the
 *   flag and the length itself, and then copies the bytes of the message behind them. A batch contains the bytes of the first
 *   request and, complete, the messages of all others. Its method `copy` corrects the length.
 *   Where the runner allows it, as the Flink runner of this library does, many requests are one message: stateMessages.ts.
 * - Requests are encoded, and responses decoded, without the generated code, which creates several objects for each field.
 */
import { StateKey, StateResponse, type StateKey_BagUserState, type StateRequest } from "apache-beam/proto/beam_fn_api";
import { BeamFnStateClient } from "apache-beam/proto/beam_fn_api.grpc-client";

/** Flag and length of a message. */
const HEADER_BYTES = 5;
const LENGTH_BYTES = 4;
const FIRST_BYTES = 16 * 1024;
/** The most bytes of a request besides its texts, its key and its data. */
const MAX_OVERHEAD = 64;
/** A UTF-16 code unit has at most three bytes in UTF-8. */
const UTF8_BYTES_PER_UNIT = 3;

/** Field numbers and wire type 2 (bytes) of beam_fn_api.proto, as the tags of Protocol Buffers. */
const TAG = { id: 0x0a, instructionId: 0x12, stateKey: 0x1a, get: 8002, append: 8010, clear: 8018, content: 0x0a };

const BYTES_WIRE_TYPE = 2;
/** The key of a user state is field 3 of a state key. */
const BAG_USER_STATE_TAG = (3 << 3) | BYTES_WIRE_TYPE;

const NO_BYTES = new Uint8Array();

function encodeKey({ type }: StateKey): Uint8Array {
  return type.oneofKind === "bagUserState" ? encodeBagKey(type.bagUserState) : StateKey.toBinary({ type });
}

/** Texts of keys as bytes: the ids of steps and states, which are few. */
const encodedTexts = new Map<string, Uint8Array>();

function encodeText(text: string): Uint8Array {
  let encoded = encodedTexts.get(text);
  if (!encoded) encodedTexts.set(text, (encoded = Buffer.from(text)));
  return encoded;
}

function encodeBagKey({ transformId, userStateId, window, key }: StateKey_BagUserState): Uint8Array {
  const fields = [encodeText(transformId), encodeText(userStateId), window, key];
  let length = 0;
  for (const { length: bytes } of fields) if (bytes > 0) length += 1 + varintBytes(bytes) + bytes;
  const encoded = new Uint8Array(1 + varintBytes(length) + length);
  encoded[0] = BAG_USER_STATE_TAG;
  let at = writeVarint(encoded, 1, length);
  fields.forEach((field, i) => {
    if (field.length === 0) return;
    encoded[at] = ((i + 1) << 3) | BYTES_WIRE_TYPE;
    at = writeVarint(encoded, at + 1, field.length);
    encoded.set(field, at);
    at += field.length;
  });
  return encoded;
}

/** @returns the index after the number */
function writeVarint(into: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) into[at++] = (rest & 0x7f) | 0x80;
  into[at++] = rest;
  return at;
}

function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}

/** Requests that are sent together. */
export class StateRequestBatch {
  private buffer = Buffer.allocUnsafe(FIRST_BYTES);
  private length = 0;
  private firstLength = 0;

  /** Bytes of the requests. */
  get bytes(): number {
    return this.length;
  }

  add({ id, instructionId, stateKey, request }: StateRequest): void {
    const key = stateKey ? encodeKey(stateKey) : NO_BYTES;
    let tag = TAG.clear;
    let content: Uint8Array = NO_BYTES;
    if (request.oneofKind === "get") {
      tag = TAG.get;
      content = request.get.continuationToken;
    } else if (request.oneofKind === "append") {
      tag = TAG.append;
      content = request.append.data;
    }
    this.reserve(UTF8_BYTES_PER_UNIT * (id.length + instructionId.length) + key.length + content.length + MAX_OVERHEAD);
    const start = this.length;
    this.length += HEADER_BYTES;
    this.text(TAG.id, id);
    this.text(TAG.instructionId, instructionId);
    if (stateKey) this.bytesOf(TAG.stateKey, key);
    this.varint(tag);
    if (content.length === 0) {
      this.varint(0);
    } else {
      this.varint(1 + varintBytes(content.length) + content.length);
      this.bytesOf(TAG.content, content);
    }
    const length = this.length - start - HEADER_BYTES;
    this.buffer[start] = 0; // not compressed
    this.buffer.writeUInt32BE(length, start + HEADER_BYTES - LENGTH_BYTES);
    if (start === 0) this.firstLength = length;
  }

  /**
   * The content of one gRPC message, for which grpc-js writes flag and length, that becomes all of them. The batch must not be
   * used afterwards.
   */
  toMessage(): Buffer {
    const { firstLength } = this;
    const message = this.buffer.subarray(HEADER_BYTES, this.length);
    message.copy = (target: Uint8Array, targetStart = 0): number => {
      target.set(message, targetStart);
      new DataView(target.buffer, target.byteOffset).setUint32(targetStart - LENGTH_BYTES, firstLength);
      return message.length;
    };
    return message;
  }

  private varint(value: number): void {
    this.length = writeVarint(this.buffer, this.length, value);
  }

  private text(tag: number, text: string): void {
    if (text === "") return;
    const length = Buffer.byteLength(text);
    this.varint(tag);
    this.varint(length);
    this.buffer.write(text, this.length, length, "utf8");
    this.length += length;
  }

  private bytesOf(tag: number, bytes: Uint8Array): void {
    this.varint(tag);
    this.varint(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(2 * this.buffer.length + bytes);
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
  }
}

/**
 * Decodes the response to a state request: directly when it has an id and an answer without continuation token, and else with the
 * generated code.
 */
export function decodeStateResponse(bytes: Buffer): StateResponse {
  return decodeDirectly(bytes) ?? StateResponse.fromBinary(bytes);
}

/** The longest that {@link decodeDirectly} reads: lengths have at most three bytes. */
const MAX_DIRECT_BYTES = 0x200000;

function decodeDirectly(bytes: Buffer): StateResponse | undefined {
  const { length } = bytes;
  const idLength = bytes[1] ?? 0;
  // The id: at most 127 bytes, then the answer, whose tag has two bytes.
  if (bytes[0] !== TAG.id || idLength > 0x7f || length < idLength + 5 || length > MAX_DIRECT_BYTES) return undefined;
  const at = 2 + idLength;
  const tag = ((bytes[at] as number) & 0x7f) | ((bytes[at + 1] as number) << 7);
  const answer = lengthAt(bytes, at + 2);
  if (!answer || answer.end !== length) return undefined;
  const id = bytes.toString("utf8", 2, at);
  if (tag === TAG.append && answer.start === length)
    return { id, error: "", response: { oneofKind: "append", append: {} } };
  if (tag === TAG.clear && answer.start === length)
    return { id, error: "", response: { oneofKind: "clear", clear: {} } };
  if (tag !== TAG.get) return undefined;
  let data: Uint8Array = NO_BYTES;
  if (answer.start < length) {
    if (bytes[answer.start] !== GET_DATA) return undefined;
    const content = lengthAt(bytes, answer.start + 1);
    if (content?.end !== length) return undefined;
    data = bytes.subarray(content.start);
  }
  return { id, error: "", response: { oneofKind: "get", get: { continuationToken: NO_BYTES, data } } };
}

/** The tag of the data in the answer to a get. */
const GET_DATA = 0x12;

/** Reads a length; where its bytes begin and end. Undefined when the length has more than three bytes. */
function lengthAt(bytes: Buffer, at: number): { readonly start: number; readonly end: number } | undefined {
  let length = 0;
  for (let i = 0; i < 3; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return { start: at + i + 1, end: at + i + 1 + length };
  }
  return undefined;
}

type Serialize = (value: unknown) => Buffer;
type Deserialize = (bytes: Buffer) => unknown;

/** Patch `stateRequests`: the state stream accepts a {@link StateRequestBatch} in place of a request. */
export function patchStateRequests(): void {
  const prototype = BeamFnStateClient.prototype as unknown as {
    makeBidiStreamRequest(method: string, serialize: Serialize, deserialize: Deserialize, ...rest: unknown[]): unknown;
  };
  const original = prototype.makeBidiStreamRequest;
  prototype.makeBidiStreamRequest = function (method, serialize, _deserialize, ...rest) {
    const withBatches: Serialize = (value) =>
      value instanceof StateRequestBatch ? value.toMessage() : serialize(value);
    return original.call(this, method, withBatches, decodeStateResponse, ...rest);
  };
}
