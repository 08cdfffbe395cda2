/**
 * FNV-1a over the UTF-16 code units of a text: 32 bits, unsigned. Fast, not for secrets. Its values are part of stored
 * state (shards of the ledgers) and of the ids of generated traffic, so they never change.
 */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
