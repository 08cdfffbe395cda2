import { createHash } from "node:crypto";

/** Hex digits of an id that hold the index in the batch: up to 65,536 events. */
const INDEX_DIGITS = 4;

/**
 * Ids for the events of a batch that have none. They depend only on the batch, so a retried batch gets the same ids. An id
 * is a UUIDv8 (RFC 9562, section 5.8) of 106 bits of SHA-256 over key and body, and the event's index.
 *
 * Two identical bodies are the same batch, unless their keys differ. The same key with another body is another batch, so
 * no event is lost when a client reuses a key by mistake.
 * @param body after decompression
 * @returns the id of the event with an index, from 0 to 65535
 */
export function batchIds(body: Uint8Array, idempotencyKey: string): (index: number) => string {
  let digest: string | undefined;
  return (index) => {
    // Computed on first use: clients that send ids do not pay for it.
    digest ??= createHash("sha256").update(idempotencyKey).update("\0").update(body).digest("hex");
    const variant = ((parseInt(digest.charAt(15), 16) & 0x3) | 0x8).toString(16);
    const place = index.toString(16).padStart(INDEX_DIGITS, "0");
    return (
      `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(12, 15)}-` +
      `${variant}${digest.slice(16, 19)}-${digest.slice(19, 27)}${place}`
    );
  };
}
