/**
 * Many requests for user state in one message, and their responses in another. The class GrpcStateService in flink/java answers it.
 *
 * A request is a byte for its kind, and its fields. Lengths and numbers are varints; a text or bytes follow their length.
 * - 0: the bundle of the requests that follow: its instruction id
 * - 1: names one state in one window: step, state, window. The first one is number 0
 * - 2, 3, 4: get, append, clear: number of the state, key; then the continuation token of a get, or the data of an append
 *
 * The responses have the order of the gets, appends and clears:
 * - 0: an append or a clear is done
 * - 1: the data of a get
 * - 2: a part of the data of a get: data, continuation token
 * - 3: an error: text
 */
import type { UserStateKey, UserStates } from "../state/userStateKey";

/** The instruction id of a message with many requests. Runners that do not know it answer with an error. */
export const BATCH_INSTRUCTION = "beam-typescript:state-batch";

const FIRST_BYTES = 16 * 1024;
/** Bytes of a kind and of a varint, at most. */
const MAX_NUMBER = 5;

const enum Field {
  Bundle = 0,
  States = 1,
  Get = 2,
  Append = 3,
  Clear = 4,
}
const enum Answer {
  Done = 0,
  Data = 1,
  Part = 2,
  Error = 3,
}

const FIELDS = { get: Field.Get, append: Field.Append, clear: Field.Clear } as const;
export type StateOperation = keyof typeof FIELDS;

const NO_BYTES = new Uint8Array();

/** Writes requests. */
export class StateBatchWriter {
  private buffer = Buffer.allocUnsafe(FIRST_BYTES);
  private length = 0;
  private bundle: string | undefined;
  private readonly numbers = new Map<UserStates, number>();

  /** @param data the continuation token of a get, or the data of an append */
  add(bundle: string, operation: StateOperation, { states, key }: UserStateKey, data: Uint8Array): void {
    if (bundle !== this.bundle) {
      this.bundle = bundle;
      this.reserve(1);
      this.buffer[this.length++] = Field.Bundle;
      this.bytes(Buffer.from(bundle));
    }
    let number = this.numbers.get(states);
    if (number === undefined) {
      this.numbers.set(states, (number = this.numbers.size));
      this.reserve(1);
      this.buffer[this.length++] = Field.States;
      this.bytes(Buffer.from(states.transformId));
      this.bytes(Buffer.from(states.userStateId));
      this.bytes(states.window);
    }
    this.reserve(1 + MAX_NUMBER);
    this.buffer[this.length++] = FIELDS[operation];
    this.varint(number);
    this.bytes(key);
    if (operation !== "clear") this.bytes(data);
  }

  /** The requests. The writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  private varint(value: number): void {
    const { buffer } = this;
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) buffer[this.length++] = (rest & 0x7f) | 0x80;
    buffer[this.length++] = rest;
  }

  private bytes(bytes: Uint8Array): void {
    const { length } = bytes;
    this.reserve(MAX_NUMBER + length);
    this.varint(length);
    const { buffer } = this;
    // For a few bytes a loop is faster than a call of native code.
    if (length <= 64) for (let i = 0; i < length; i++) buffer[this.length + i] = bytes[i] as number;
    else buffer.set(bytes, this.length);
    this.length += length;
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(2 * this.buffer.length + bytes);
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
  }
}

/** The response to one request. Data and token are of a get; a token means that the data is a part. */
export interface StateAnswer {
  readonly error?: string;
  readonly data?: Uint8Array;
  readonly token?: Uint8Array;
}

const DONE: StateAnswer = {};
const NOTHING_STORED: StateAnswer = { data: NO_BYTES };

/** Reads responses, in the order of the requests. */
export class StateBatchReader {
  private at = 0;
  private readonly buffer: Buffer;

  constructor(bytes: Uint8Array) {
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @throws Error when there is no further response, or the bytes are no response */
  next(): StateAnswer {
    const kind: number | undefined = this.buffer[this.at++];
    switch (kind) {
      case Answer.Done:
        return DONE;
      case Answer.Data: {
        const data = this.bytes();
        return data.length ? { data } : NOTHING_STORED;
      }
      case Answer.Part:
        return { data: this.bytes(), token: this.bytes() };
      case Answer.Error:
        return { error: this.bytes().toString("utf8") };
      case undefined:
      default:
        throw new Error("The runner's answer to a batch of state requests is incomplete");
    }
  }

  private bytes(): Buffer {
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.buffer[this.at++];
      if (byte === undefined || shift > 28) throw new Error("A length in an answer to state requests is invalid");
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const start = this.at;
    this.at += length;
    if (this.at > this.buffer.length || length < 0) throw new Error("An answer to state requests is incomplete");
    return this.buffer.subarray(start, this.at);
  }
}
