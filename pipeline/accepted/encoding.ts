import "@eventlogger/beam/sdk";
import { BytesCoder } from "apache-beam/coders/required_coders";
import type { Coder } from "apache-beam/coders/coders";
import { HASH_BYTES, type AcceptedHashes } from "@eventlogger/events/accepted/acceptedIds";
import { EncodingError } from "../textEncoding";

const FORMAT = 1;
/** Format (1 byte), epoch day (4 bytes, signed), then the hashes. Big endian. */
const HEADER_BYTES = 5;

/** Hashes of a day as bytes, as they are stored and as they travel. Jobs resume from them, so the format must not change. */
export function encodeHashes({ day, hashes }: { readonly day: number; readonly hashes: ArrayLike<number> }): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + HASH_BYTES * hashes.length);
  bytes.writeUInt8(FORMAT, 0);
  bytes.writeInt32BE(day, 1);
  let offset = HEADER_BYTES;
  for (let i = 0; i < hashes.length; i++) offset = bytes.writeUIntBE(hashes[i] as number, offset, HASH_BYTES);
  return bytes;
}

/** @throws EncodingError */
export function decodeHashes(encoded: Uint8Array): AcceptedHashes {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  if (bytes[0] !== FORMAT || bytes.length < HEADER_BYTES || (bytes.length - HEADER_BYTES) % HASH_BYTES !== 0) {
    throw new EncodingError("hashes of accepted events", `format ${FORMAT}`, encoded);
  }
  const hashes: number[] = [];
  for (let offset = HEADER_BYTES; offset < bytes.length; offset += HASH_BYTES) {
    hashes.push(bytes.readUIntBE(offset, HASH_BYTES));
  }
  return { day: bytes.readInt32BE(1), hashes };
}

const bytesCoder = new BytesCoder();

/** Hashes of a day as stored state. */
export const acceptedHashesCoder: Coder<AcceptedHashes> = {
  encode: (value, writer, context) => bytesCoder.encode(encodeHashes(value), writer, context),
  decode: (reader, context) => decodeHashes(bytesCoder.decode(reader, context)),
  toProto: (pipeline) => bytesCoder.toProto(pipeline),
};
