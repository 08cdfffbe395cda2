import { ClientIds } from "./clientAddress";
import { createGate, type Gate } from "./gate";
import type { Keys } from "./keySet";
import type { Purpose } from "./presentedKey";
import { TokenBuckets, type RateLimit } from "./tokenBuckets";

export interface AccessSettings {
  /** One of these is needed to send events; undefined: none is. */
  readonly writeKeys?: Keys;
  /** One of these is needed to read the rollups; undefined: none is. */
  readonly readKeys?: Keys;
  /** For each name of a key. Events, and reads, which have limits of their own. */
  readonly keyRate?: RateLimit;
  /** For each client address, likewise. */
  readonly addressRate?: RateLimit;
  /** See {@link ClientIds}. */
  readonly trustedProxies: readonly string[];
  readonly onUntrustedProxy: () => void;
}

export interface Gates {
  /** Undefined where there is nothing to check. */
  readonly write: Gate | undefined;
  readonly read: Gate | undefined;
}

/** @param maxBatchEvents the most that one request is charged */
export function createGates(settings: AccessSettings, maxBatchEvents: number): Gates {
  const { keyRate, addressRate, trustedProxies, onUntrustedProxy } = settings;
  const ids = new ClientIds({ trustedProxies, onUntrustedProxy });
  const maxCharge = maxBatchEvents;
  const gate = (purpose: Purpose, keys: Keys | undefined): Gate | undefined => {
    const keyBuckets = keyRate && new TokenBuckets<string>({ ...keyRate, maxCharge });
    const clients = addressRate && { ids, buckets: new TokenBuckets<number>({ ...addressRate, maxCharge }) };
    return createGate({ purpose, keys, keyBuckets, clients });
  };
  return { write: gate("write", settings.writeKeys), read: gate("read", settings.readKeys) };
}
