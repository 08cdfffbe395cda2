/**
 * A file with the messages of a benchmark, so that programs in several languages read the same bytes. Each record is the
 * event time (epoch ms, signed 64-bit integer), the length of the data (unsigned 32-bit integer) and the data; integers are
 * big-endian. The id of message n is `m<n>`, counted from 0, and its publish time is 20 ms after the event time.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { messageData, syntheticEvents, type SyntheticTraffic } from "@eventlogger/traffic/load/syntheticMessages";

const HEADER_BYTES = 12;
const CHUNK_BYTES = 1 << 20;

/** Time from the event to its publication in all benchmarks, ms. */
export const PUBLISH_DELAY_MS = 20;

export interface Message {
  readonly eventTime: number;
  readonly data: Uint8Array;
}

/** Writes the messages of the traffic. @returns the SHA-256 of the file, hex */
export function writeMessageFile(file: string, traffic: SyntheticTraffic): string {
  const hash = createHash("sha256");
  const out = openSync(file, "w");
  let parts: Buffer[] = [];
  let length = 0;
  const flush = (): void => {
    const chunk = Buffer.concat(parts);
    hash.update(chunk);
    for (let at = 0; at < chunk.length;) at += writeSync(out, chunk, at);
    parts = [];
    length = 0;
  };
  try {
    for (const event of syntheticEvents(traffic)) {
      const data = messageData(event);
      const header = Buffer.alloc(HEADER_BYTES);
      header.writeBigInt64BE(BigInt(event.eventTime), 0);
      header.writeUInt32BE(data.length, 8);
      parts.push(header, data);
      length += header.length + data.length;
      if (length >= CHUNK_BYTES) flush();
    }
    flush();
  } finally {
    closeSync(out);
  }
  return hash.digest("hex");
}

/**
 * Reads the messages of a file, in chunks.
 * @throws Error when the file ends within a message
 */
export function* readMessageFile(file: string): Generator<Message> {
  const input = openSync(file, "r");
  try {
    let buffer = Buffer.alloc(0);
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const read = readSync(input, chunk);
      if (read === 0) break;
      buffer = buffer.length ? Buffer.concat([buffer, chunk.subarray(0, read)]) : chunk.subarray(0, read);
      let at = 0;
      while (buffer.length - at >= HEADER_BYTES) {
        const end = at + HEADER_BYTES + buffer.readUInt32BE(at + 8);
        if (end > buffer.length) break;
        yield { eventTime: Number(buffer.readBigInt64BE(at)), data: buffer.subarray(at + HEADER_BYTES, end) };
        at = end;
      }
      buffer = buffer.subarray(at);
    }
    if (buffer.length) throw new Error(`${file} ends within a message`);
  } finally {
    closeSync(input);
  }
}
